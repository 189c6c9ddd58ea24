"""Batches: many requests from one file, which run when it is greenest, in OpenAI's forms.

``states`` is the table of a batch's states. ``input_lines`` reads and checks the lines of a file;
``validation`` a whole file. ``feeder`` has some lines at a time run as kept jobs, in the gateway
inside the scheduler; it is the only one that changes a running batch. ``results`` are the lines'
answers and errors as files, ``views`` the batch as clients see it, ``use_cases`` what they may do.
"""
