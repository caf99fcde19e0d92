"""A seccomp agent: takes one listener from the socket argv[1], prints the message that came with it, and decides
on calls until there are no more: mkdir fails with ENOTUNIQ (76), all others are made."""

import array
import fcntl
import socket
import struct
import sys

RECV, SEND, CONTINUE, MKDIR = 0xC0502100, 0xC0182101, 1, 83

server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
print("listening", flush=True)
connection, _ = server.accept()
message, descriptors, _, _ = socket.recv_fds(connection, 65536, 4)
print(message.decode(), len(descriptors), flush=True)
while True:
    notification = bytearray(80)
    try:
        fcntl.ioctl(descriptors[0], RECV, notification)
    except OSError:
        break
    number, _, _, call = struct.unpack_from("=QIIi", notification)
    error, flags = (-76, 0) if call == MKDIR else (0, CONTINUE)
    try:
        fcntl.ioctl(descriptors[0], SEND, struct.pack("=Qqii", number, 0, error, flags))
    except OSError:
        pass
