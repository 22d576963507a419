"""HTTP: what a request asks for, and how the answer looks. Flask is imported here and in `app`."""
