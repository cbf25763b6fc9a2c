"""The mailbox: a mail server that keeps every mail as a file, and shows the mails over HTTP."""
