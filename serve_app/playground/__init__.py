"""The page at ``/``: a picture, a question, the answer, and where the model looked for it."""
