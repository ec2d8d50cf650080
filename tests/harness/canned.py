"""Scripts for scripted backends that play a plain little server of each protocol."""

from .backend import rules


def imap(capability=b"IMAP4rev1 AUTH=PLAIN", **more):
    """Takes `fred` and `secret`. `more` adds or replaces answers by verb."""

    def login(connection, line):
        tag = line.split(b" ")[0]
        connection.send(tag + (b" OK in\r\n" if line.endswith((b"fred secret", b'"fred" "secret"')) else b" NO no\r\n"))

    def authenticate(connection, line):
        words = line.split(b" ")
        if len(words) < 4:
            connection.send(b"+ \r\n")
            answer = connection.line()
        else:
            answer = words[3]
        good = answer == b"AGZyZWQAc2VjcmV0"
        connection.send(words[0] + (b" OK in\r\n" if good else b" NO no\r\n"))

    answers = {b"CAPABILITY": b"* CAPABILITY " + capability + b"\r\n{tag} OK done\r\n", b"LOGIN": login,
               b"AUTHENTICATE": authenticate, b"LOGOUT": b"* BYE bye\r\n{tag} OK bye\r\n", b"IDLE": b"+ idling\r\n",
               b"DONE": b"i OK idled\r\n"}
    answers.update({verb.encode(): answer for verb, answer in more.items()})
    return rules(b"* OK [CAPABILITY " + capability + b"] ready\r\n", answers, b"{tag} OK done\r\n")


def pop3(greeting=b"+OK ready <1.2@test>\r\n", capa=b"USER\r\nUIDL\r\nSASL PLAIN\r\n", **more):
    def password(connection, line):
        connection.send(b"+OK in\r\n" if line == b"PASS secret" else b"-ERR no\r\n")

    answers = {b"CAPA": b"+OK\r\n" + capa + b".\r\n", b"PASS": password, b"QUIT": b"+OK bye\r\n"}
    answers.update({verb.encode(): answer for verb, answer in more.items()})
    return rules(greeting, answers, b"+OK\r\n")


def smtp(keywords=(b"PIPELINING", b"8BITMIME", b"AUTH PLAIN LOGIN"), **more):
    """Takes AUTH PLAIN of fred and secret, and any message."""
    shown = [b"test", *keywords]
    ehlo = b"".join(b"250-" + line + b"\r\n" for line in shown[:-1]) + b"250 " + shown[-1] + b"\r\n"

    def auth(connection, line):
        words = line.split(b" ")
        if len(words) < 3:
            connection.send(b"334 \r\n")
            answer = connection.line()
        else:
            answer = words[2]
        connection.send(b"235 2.7.0 in\r\n" if answer == b"AGZyZWQAc2VjcmV0" else b"535 5.7.8 no\r\n")

    def data(connection, _):
        connection.send(b"354 go on\r\n")
        connection.until(b"\r\n.\r\n")
        connection.send(b"250 2.0.0 taken\r\n")

    answers = {b"EHLO": ehlo, b"LHLO": ehlo, b"AUTH": auth, b"DATA": data, b"QUIT": b"221 bye\r\n"}
    answers.update({verb.encode(): answer for verb, answer in more.items()})
    return rules(b"220 test ESMTP ready\r\n", answers, b"250 ok\r\n")


SCRIPTS = {"imap": imap, "pop3": pop3, "smtp": smtp, "lmtp": smtp}
