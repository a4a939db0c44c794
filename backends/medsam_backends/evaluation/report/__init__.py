"""The report of an evaluation: one HTML page and PNG plots, from the tables that `medsamlite evaluate` wrote.

Measures nothing itself.  Needs Matplotlib and Jinja2, which only its own modules import.
"""
