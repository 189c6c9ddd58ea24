"""Statement PDF: a co-op's month as a page that a treasurer files.

``content`` makes the words and figures of the page, ``figures`` writes numbers and dates as the
language does, ``render`` sets the page with Typst. Input: a ``Statement``, the breakdown of the
same jobs and the keys of receipts. Output: PDF bytes, the same for the same input.
"""
