"""A registry, a munged and a gateway on loopback, for hack/bench-gateway."""

import ctypes
import hashlib
import http.client
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zlib

# The gateway's user, and one who asks it; every Debian has the second.
OWN = 4321
ANN = 5
SOON = 60
# MUNGE_OPT_SOCKET of munge.h.
SOCKET_OPTION = 8
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def as_user(uid, *line):
    # By its path: busybox, which tells of memory, has another one of its own.
    return [shutil.which("setpriv"), "--reuid", str(uid), "--regid", str(uid), "--clear-groups", *map(str, line)]


def wait_for(what, attempt):
    until = time.monotonic() + SOON
    while time.monotonic() < until:
        found = attempt()
        if found:
            return found
        time.sleep(0.05)
    sys.exit(f"hack/bench-gateway: {what} doesn't come")


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


class Layer:
    """A layer of `megabytes` of files, half of which can be compressed, gzipped unless it shall be as it is."""

    def __init__(self, path, megabytes, gzipped=True):
        self.path = path
        self.kind = LAYER + "+gzip" if gzipped else LAYER
        plain, packed, zipped = hashlib.sha256(), hashlib.sha256(), zlib.compressobj(1, wbits=31)
        with open(path, "wb") as file:
            def put(chunk):
                plain.update(chunk)
                if gzipped:
                    chunk = zipped.compress(chunk)
                packed.update(chunk)
                file.write(chunk)

            class Sink(io.RawIOBase):
                def writable(self):
                    return True

                def write(self, chunk):
                    put(bytes(chunk))
                    return len(chunk)

            # Ten files a megabyte, as images have them.
            size = 104_858
            with tarfile.open(fileobj=Sink(), mode="w|", bufsize=1 << 20) as archive:
                for number in range(megabytes * 10):
                    entry = tarfile.TarInfo(f"data/{number // 1000}/{number}")
                    entry.size = size
                    archive.addfile(entry, io.BytesIO(os.urandom(size // 2) + bytes(size - size // 2)))
            last = zipped.flush() if gzipped else b""
            packed.update(last)
            file.write(last)
        self.diff = f"sha256:{plain.hexdigest()}"
        self.digest = f"sha256:{packed.hexdigest()}"
        self.size = os.path.getsize(path)


class Registry:
    """Debian's docker-registry."""

    def __init__(self, place):
        directory = os.path.join(place, "registry")
        os.makedirs(directory)
        configuration = {"version": "0.1", "storage": {"filesystem": {"rootdirectory": directory}}, "http": {"addr": "127.0.0.1:0"},
                         "log": {"level": "info", "accesslog": {"disabled": True}}}
        path, log = os.path.join(place, "registry.yml"), os.path.join(place, "registry.log")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(configuration, file)
        with open(log, "w", encoding="utf-8") as output:
            self.process = subprocess.Popen(["docker-registry", "serve", path], stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        self.address = wait_for("the registry", lambda: re.search(r"listening on ([0-9.:]+)", read(log)))[1]

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.address)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        answer.read()
        if answer.status not in (200, 201, 202):
            sys.exit(f"hack/bench-gateway: {method} {path}: {answer.status}")
        return answer

    def put(self, name, digest, content, size):
        location = self.ask("POST", f"/v2/{name}/blobs/uploads/").headers["location"]
        path = re.sub(r"^https?://[^/]+", "", location)
        path += ("&" if "?" in path else "?") + f"digest={digest}"
        self.ask("PUT", path, content, {"content-length": str(size), "content-type": "application/octet-stream"})

    def push(self, name, tag, layer):
        """An image of one layer."""
        config = json.dumps({"architecture": architecture(), "os": "linux", "config": {"Env": [f"TAG={tag}"]},
                             "rootfs": {"type": "layers", "diff_ids": [layer.diff]}}).encode()
        digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST,
                    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": len(config)},
                    "layers": [{"mediaType": layer.kind, "digest": layer.digest, "size": layer.size}]}
        self.put(name, digest, config, len(config))
        with open(layer.path, "rb") as file:
            self.put(name, layer.digest, file, layer.size)
        self.ask("PUT", f"/v2/{name}/manifests/{tag}", json.dumps(manifest), {"content-type": MANIFEST})


def architecture():
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)


class Munged:
    """munged with a key of its own, and its credentials by libmunge."""

    def __init__(self, place):
        directory = os.path.join(place, "munge")
        os.makedirs(directory)
        key = os.path.join(directory, "key")
        with open(key, "wb") as file:
            file.write(os.urandom(128))
        os.chmod(key, 0o400)
        shutil.chown(key, "munge")
        shutil.chown(directory, "munge")
        path = lambda name: os.path.join(directory, name)
        self.socket = path("socket")
        line = ["setpriv", "--reuid", "munge", "--regid", "munge", "--clear-groups", "munged", "--foreground", f"--key-file={key}",
                f"--socket={self.socket}", f"--pid-file={path('pid')}", f"--log-file={path('log')}", f"--seed-file={path('seed')}"]
        self.process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("munged", lambda: os.path.exists(self.socket))

    def credentials(self, count):
        """So many of this process's user, without a payload."""
        library = ctypes.CDLL("libmunge.so.2")
        library.munge_ctx_create.restype = ctypes.c_void_p
        context = ctypes.c_void_p(library.munge_ctx_create())
        library.munge_ctx_set(context, SOCKET_OPTION, ctypes.c_char_p(self.socket.encode()))
        made = []
        for _ in range(count):
            text = ctypes.c_char_p()
            code = library.munge_encode(ctypes.byref(text), context, None, 0)
            if code:
                sys.exit(f"hack/bench-gateway: munge_encode: {code}")
            made.append(text.value.decode())
            ctypes.CDLL(None).free(text)
        library.munge_ctx_destroy(context)
        return made


class Gateway:
    """The gateway, on one core if there are several."""

    def __init__(self, place, programs, registry, munged, core):
        self.place = place
        self.bin = os.path.join(place, "bin")
        os.makedirs(self.bin)
        for name in ("shifter-imagegw", "shifterimg"):
            shutil.copy(os.path.join(programs, name), self.bin)
        for name in ("state", "images"):
            os.makedirs(self.path(name), 0o700)
            os.chown(self.path(name), OWN, OWN)
        configuration = {
            "StateDirectory": self.path("state"), "Listen": "127.0.0.1:0", "TLS": "off", "WorkerThreads": 4, "Metrics": True,
            "Authentication": ["munge", "tokens"], "ImageExpirationTimeout": "90:00:00:00", "LogLevel": "WARNING",
            "Limits": {"RequestsPerMinute": 100_000_000, "PullsPerUser": 1000, "FreeMegabytes": 0, "Connections": 2000, "ConnectionsPerAddress": 2000},
            "DefaultImageLocation": "reg.io", "Locations": {"reg.io": {"remotetype": "dockerv2", "url": f"http://{registry.address}"}},
            "Platforms": {"cluster": {"mungeSocketPath": munged.socket, "accesstype": "local", "admins": [], "local": {"imageDir": self.path("images")}}},
        }
        with open(self.path("imagemanager.json"), "w", encoding="utf-8") as file:
            json.dump(configuration, file)
        self.token = self.own("token", "add", "bench", "--user", "games", "--uid", str(ANN), "--gid", str(ANN))
        self.core = core
        self.start()

    def path(self, name):
        return os.path.join(self.place, name)

    def line(self, *arguments):
        return as_user(OWN, os.path.join(self.bin, "shifter-imagegw"), *arguments, "--config", self.path("imagemanager.json"))

    def own(self, *arguments):
        return subprocess.run(self.line(*arguments), check=True, capture_output=True, text=True).stdout.strip()

    def start(self):
        pin = [] if self.core is None else ["taskset", "--cpu-list", str(self.core)]
        with open(self.path("log"), "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([*pin, *self.line("serve", "--listen", "127.0.0.1:0")], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        found = lambda: self.process.poll() is not None or listening(self.process.pid)
        address = wait_for("the gateway", found)
        if address is True:
            sys.exit(f"hack/bench-gateway: it ended: {read(self.path('log'))}")
        self.address = address

    def end(self):
        self.process.terminate()
        self.process.wait()

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection(self.address, timeout=SOON)
        connection.request(method, path, body, {"authorization": f"Bearer {self.token}", "content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")

    def processor_seconds(self):
        fields = read(f"/proc/{self.process.pid}/stat").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_memory(self, begin=False):
        """MiB at the most since `begin`."""
        if begin:
            with open(f"/proc/{self.process.pid}/clear_refs", "w", encoding="utf-8") as file:
                file.write("5")
        return int(re.search(r"VmHWM:\s+(\d+)", read(f"/proc/{self.process.pid}/status"))[1]) / 1024


def listening(pid):
    """The address on which a process listens."""
    sockets = set()
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            found = re.match(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{name}"))
            if found:
                sockets.add(found[1])
    except FileNotFoundError:
        return None
    for line in read("/proc/net/tcp").splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and fields[9] in sockets:
            return f"127.0.0.1:{int(fields[1].split(':')[1], 16)}"
    return None
