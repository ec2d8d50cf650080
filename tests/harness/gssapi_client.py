"""Logs in by GSSAPI (RFC 4752) with the first token in the command: PROTOCOL PORT SERVICE@HOST. A program of its own,
as Kerberos takes keys and tickets from the environment. Needs python3-gssapi."""

import base64
import sys

import gssapi

from .client import LineClient


def first_command(protocol, token):
    return {"imap": b"x AUTHENTICATE GSSAPI ", "pop3": b"AUTH GSSAPI ", "smtp": b"AUTH GSSAPI "}[protocol] + token


def answer_to(context, challenge):
    """The next token; behind the last of them the choice of no security layer."""
    if not context.complete:
        return context.step(challenge) or b""
    offer = context.unwrap(challenge).message
    assert offer[0] & 1, "the server insists on a security layer"
    return context.wrap(b"\1\0\0\0", False).message


def log_in(protocol, port, service):
    name = gssapi.Name(service, gssapi.NameType.hostbased_service)
    context = gssapi.SecurityContext(name=name, usage="initiate", flags=gssapi.RequirementFlag.mutual_authentication)
    with LineClient(port, tls=True) as client:
        client.line()
        if protocol == "smtp":
            client.smtp(b"EHLO test")
        client.send(first_command(protocol, base64.b64encode(context.step())) + b"\r\n")
        while (line := client.line()).startswith((b"+ ", b"334")) or line == b"+":
            challenge = base64.b64decode(line.partition(b" ")[2])
            client.send(base64.b64encode(answer_to(context, challenge)) + b"\r\n")
        while line.startswith(b"* "):  # capabilities
            line = client.line()
        return line


if __name__ == "__main__":
    print(log_in(sys.argv[1], int(sys.argv[2]), sys.argv[3]).decode())
