"""The bundles that are run: runc's own `spec` without the cgroup mount, which the floor doesn't know, and three filters."""

import json
import os
import shutil
import subprocess

PODMANS = "/usr/share/containers/seccomp.json"


class Bundles:
    """A root file system and a bundle for each profile and command."""

    def __init__(self, scratch, ours):
        self.scratch = scratch
        self.ours = ours
        self.rootfs = os.path.join(scratch, "rootfs")
        for directory in ("bin", "dev", "etc", "proc", "sys", "tmp"):
            os.makedirs(os.path.join(self.rootfs, directory))
        shutil.copy("/bin/busybox", os.path.join(self.rootfs, "bin/busybox"))
        for applet in ("true", "sleep", "sh"):
            os.symlink("busybox", os.path.join(self.rootfs, "bin", applet))
        self.spec = self.plain_spec()
        self.profiles = {"none": None, "sealed": self.sealed(), "podman": podmans(self.spec)}

    def plain_spec(self):
        directory = os.path.join(self.scratch, "spec")
        os.mkdir(directory)
        subprocess.run(["runc", "spec"], cwd=directory, check=True)
        with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
            spec = json.load(file)
        spec["process"].update(terminal=False, args=["/bin/true"], env=["PATH=/bin"])
        # Not above what this host lets be asked for.
        del spec["process"]["rlimits"]
        spec["mounts"] = [mount for mount in spec["mounts"] if mount["type"] != "cgroup"]
        return spec

    def sealed(self):
        """The filter that sealing puts into a bundle."""
        self.make("to-seal", self.spec)
        sealed = os.path.join(self.scratch, "sealed")
        subprocess.run([self.ours, "seal", os.path.join(self.scratch, "bundles/to-seal"), "-o", sealed, "--run-as", "65534:65534"], check=True,
                       stdout=subprocess.DEVNULL)
        with open(os.path.join(sealed, "config.json"), encoding="utf-8") as file:
            return json.load(file)["linux"]["seccomp"]

    def make(self, name, spec):
        bundle = os.path.join(self.scratch, "bundles", name)
        os.makedirs(bundle)
        os.symlink(self.rootfs, os.path.join(bundle, "rootfs"))
        with open(os.path.join(bundle, "config.json"), "w", encoding="utf-8") as file:
            json.dump(spec | {"root": {"path": self.rootfs, "readonly": True}}, file)
        return bundle

    def bundle(self, profile, *arguments):
        """A bundle that runs `arguments` under the profile of this name, made once."""
        name = f"{profile}-{os.path.basename(arguments[0])}"
        path = os.path.join(self.scratch, "bundles", name)
        if os.path.exists(path):
            return path
        spec = json.loads(json.dumps(self.spec))
        spec["process"]["args"] = list(arguments)
        if self.profiles[profile]:
            spec["linux"]["seccomp"] = self.profiles[profile]
        return self.make(name, spec)


def podmans(spec):
    """podman's default profile as podman writes it into a bundle with this spec's capabilities; None where there is none."""
    try:
        with open(PODMANS, encoding="utf-8") as file:
            profile = json.load(file)
    except FileNotFoundError:
        return None
    capabilities = set(spec["process"]["capabilities"]["bounding"])
    rules = [resolved(rule) for rule in profile["syscalls"] if applies(rule, capabilities)]
    return {
        "defaultAction": profile["defaultAction"],
        **({"defaultErrnoRet": profile["defaultErrnoRet"]} if "defaultErrnoRet" in profile else {}),
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": rules,
    }


def applies(rule, capabilities):
    includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
    if not set(includes.get("caps") or []) <= capabilities or set(excludes.get("caps") or []) & capabilities:
        return False
    if includes.get("arches") and "amd64" not in includes["arches"]:
        return False
    return "amd64" not in (excludes.get("arches") or [])


def resolved(rule):
    kept = {key: rule[key] for key in ("names", "action", "errnoRet") if rule.get(key) is not None}
    if rule.get("args"):
        kept["args"] = [{key: value for key, value in argument.items() if value is not None} for argument in rule["args"]]
    return kept
