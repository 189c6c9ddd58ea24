"""Operations: long work beside the scheduler, in bounded processes of their own."""
