# SPDX-License-Identifier: Apache-2.0
"""A real mail server (aiosmtpd) that misbehaves on request.

smtp_relay.py FOLDER [--tls CERT KEY] [--starttls CERT KEY] [--login USER PASSWORD]
Prints its port, then serves until standard input closes. Each mail that was taken becomes FOLDER/N.eml.
The local part of the first recipient chooses the fault: rcpt-451, rcpt-550, final-451, final-552, final-close
(takes the mail, closes without a reply), final-silent (takes it, never replies).
"""
import argparse, asyncio, os, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult

args = argparse.ArgumentParser()
args.add_argument("folder")
args.add_argument("--tls", nargs=2)
args.add_argument("--starttls", nargs=2)
args.add_argument("--login", nargs=2)
args = args.parse_args()


class Handler:
    taken = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        fault = address.split("@")[0]
        if fault == "rcpt-451":
            return "451 4.2.2 mailbox busy"
        if fault == "rcpt-550":
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server, session, envelope):
        fault = envelope.rcpt_tos[0].split("@")[0]
        if fault == "final-451":
            return "451 4.3.0 try later"
        if fault == "final-552":
            return "552 5.2.2 mailbox full"
        Handler.taken += 1
        path = os.path.join(args.folder, f"{Handler.taken}.eml")
        with open(path + ".part", "wb") as f:
            f.write(envelope.original_content)
        os.rename(path + ".part", path)
        if fault == "final-close":
            server.transport.abort()
            await asyncio.sleep(60)
        if fault == "final-silent":
            await asyncio.sleep(60)
        return "250 2.0.0 queued as \x01 number %d" % Handler.taken


def authenticate(server, session, envelope, mechanism, data):
    if args.login is None:
        return AuthResult(success=True)
    ok = data.login == args.login[0].encode() and data.password == args.login[1].encode()
    return AuthResult(success=ok, handled=False)  # the server words the refusal


def context(pair):
    if pair is None:
        return None
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(*pair)
    return c


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(Handler(), hostname="relay.example.vn", tls_context=context(args.starttls), loop=loop,
                     authenticator=authenticate, auth_required=args.login is not None,
                     auth_require_tls=args.starttls is not None),
        "127.0.0.1", 0, ssl=context(args.tls))
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    os._exit(0)


asyncio.run(main())
