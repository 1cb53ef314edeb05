"""Protocols: the words and forms that client, server and simulator of one kind of system all speak.

SOAP, SEV OVV, SFTP's packets, X-Road's names, what an error of a system in between means. What a channel's settings say
and how a message becomes theirs belongs to ``hub.adapters``; decisions about a case must not enter.
"""
