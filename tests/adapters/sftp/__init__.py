"""The adapter ``sftp`` against OpenSSH's sshd, a proxy that breaks, and a server that lies."""
