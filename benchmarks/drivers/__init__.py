"""Programs that run a list of jobs through a library; each takes the list and a scratch folder.
They are called by path in the environment of the peer, so they import nothing from here."""
