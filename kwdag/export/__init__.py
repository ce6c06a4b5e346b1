"""A plan for a service that runs it elsewhere: what was asked for, the containers, their steps, the template.

Text only; nothing here talks to a service, and which jobs there are is plan.py's business.
"""
