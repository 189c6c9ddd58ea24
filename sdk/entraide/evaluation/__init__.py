"""Evaluation: how often a model answers right, by task and language, from items checked by rules.

``templates`` makes items (questions and what is asked of their answers) from the files of
``items``; ``checkers`` says whether an answer is right, looking past its form (``normalisation``,
``quantities``); ``confidence`` gives the interval of a rate, and what it says about the policy's
threshold; ``rounds`` keeps how far an evaluation is, and which items come next. All of it is pure;
``entraide models evaluate`` sends the items to the pool.
"""
