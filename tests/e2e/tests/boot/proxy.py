"""A company's proxy: the only way out, and it opens TLS, with certificates of an authority of its own.

python proxy.py AWS SAGEMAKER    (the ports of the local AWS; prints its own port)

In its working directory are certificate.pem and key.pem, and it writes each host that it is asked for into the file log. The names of AWS's services lead to the local AWS; every other name leads to itself.
"""

import re
import select
import socket
import ssl
import sys
import threading

AWS, SAGEMAKER = sys.argv[1:]
OURS = re.compile(r"(?:(.+)\.)?(s3|states|api\.sagemaker)\.us-east-1\.amazonaws\.com")
# Nobody waits longer for a byte.
SECONDS = 600

inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
inside.load_cert_chain("certificate.pem", "key.pem")
outside = ssl.create_default_context()
# Unbuffered, and each line in one piece: a host is in it before it is answered.
log = open("log", "ab", buffering=0)


def read_head(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return b"", b""
        data += chunk
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def relay(one, other):
    """Until one of the two ends. A TLS connection may have something to read that is no data: nothing waits for it."""
    while True:
        ready = [side for side in (one, other) if isinstance(side, ssl.SSLSocket) and side.pending()]
        ready = ready or select.select([one, other], [], [], SECONDS)[0]
        if not ready:
            return
        for side in ready:
            side.settimeout(0)
            try:
                data = side.recv(65536)
            except (ssl.SSLWantReadError, BlockingIOError):
                continue
            finally:
                side.settimeout(SECONDS)
            if not data:
                return
            (other if side is one else one).sendall(data)


def to_local_aws(client, bucket, service):
    """One request a connection; its host becomes the local AWS's own, and a bucket in the name a part of the path."""
    head, rest = read_head(client)
    if not head:
        return
    port = SAGEMAKER if service == "api.sagemaker" else AWS
    request, *lines = head.decode("latin-1").split("\r\n")
    lines = [line for line in lines if line.lower().split(":")[0] not in ("host", "connection")]
    if bucket:
        method, path, version = request.split(" ")
        request = f"{method} /{bucket}{path} {version}"
    head = "\r\n".join([request, f"Host: 127.0.0.1:{port}", "Connection: close", *lines, "", ""])
    with socket.create_connection(("127.0.0.1", int(port)), SECONDS) as service:
        service.sendall(head.encode("latin-1") + rest)
        relay(client, service)


def serve(connection):
    head, _ = read_head(connection)
    asked = re.match(rb"CONNECT ([a-z0-9.-]+):443 ", head)
    if not asked:
        connection.sendall(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
        return
    host = asked[1].decode()
    log.write(f"{host}\n".encode())
    connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    with inside.wrap_socket(connection, server_side=True) as client:
        ours = OURS.fullmatch(host)
        if ours:
            to_local_aws(client, ours[1], ours[2])
            return
        with socket.create_connection((host, 443), SECONDS) as plain:
            with outside.wrap_socket(plain, server_hostname=host) as server:
                relay(client, server)


def answer(connection):
    with connection:
        try:
            serve(connection)
        except OSError as error:  # either side went away, or did not like the certificate
            log.write(f"! {error!r}\n".encode())


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()
