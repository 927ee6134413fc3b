#!/usr/bin/env python3
"""Records what BuildKit makes of each Dockerfile of a table, with real builds.

Usage: record CASES.jsonl > ANSWERS.jsonl

Every case is an object {name, dockerfile, args, target, files}; its answer is added as `answer`: the message and line of an
error, or the image's configuration and the steps of the build (from the provenance). Needs a Docker engine of Linux and amd64
and an image `probe` whose `/bin/sh` does nothing and succeeds.
"""
import base64, concurrent.futures, json, os, re, subprocess, sys, tempfile, threading

os.environ["BUILDX_METADATA_PROVENANCE"] = "max"
CONFIG = ["Env", "Cmd", "Entrypoint", "Labels", "WorkingDir", "User", "ExposedPorts", "Volumes", "StopSignal", "Healthcheck", "Shell", "OnBuild"]

def build(case):
    tag = f"probe-out-{threading.get_ident()}"
    with tempfile.TemporaryDirectory(prefix="table-") as root:
        context = os.path.join(root, f"c{threading.get_ident()}-{abs(hash(case['name']))}")
        os.mkdir(context)
        with open(f"{context}/Dockerfile", "wb") as file:
            file.write(case["dockerfile"].encode())
        for name, text in case["files"].items():
            with open(f"{context}/{name}", "w") as file:
                file.write(text)
        command = ["docker", "buildx", "build", "-t", tag, "--progress=rawjson", "--metadata-file", f"{root}/m", "--secret", "id=s,src=/dev/null"]
        for name, value in case["args"].items():
            command += ["--build-arg", f"{name}={value}"]
        if case["target"] is not None:
            command += ["--target", case["target"]]
        done = subprocess.run(command + [context], capture_output=True, text=True)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
            message = next((line for line in reversed(lines) if line.startswith("ERROR: ")), "")
            at = [int(m[1]) for m in (re.match(r"Dockerfile:(\d+)", line) for line in lines) if m]
            return {"error": re.sub(r"^ERROR: failed to build: failed to solve: ", "", message), "line": at[0] if at else None}
        steps = json.load(open(f"{root}/m"))["buildx.build.provenance"]["buildConfig"]["llbDefinition"]
        runs, files = [], []
        for step in steps:
            op = step["op"].get("Op") or {}
            if "exec" in op:
                meta = op["exec"]["meta"]
                mounts = []
                for mount in op["exec"]["mounts"]:
                    if mount["dest"] == "/":
                        continue
                    kind = {0: "bind", 1: "secret", 2: "ssh", 3: "cache", 4: "tmpfs"}[mount.get("mountType", 0)]
                    mounts.append({"kind": kind, "dest": mount["dest"], "readonly": mount.get("readonly", False),
                                   "id": (mount.get("cacheOpt") or mount.get("secretOpt") or mount.get("SSHOpt") or {}).get("ID"),
                                   "sharing": (mount.get("cacheOpt") or {}).get("sharing", 0), "selector": mount.get("selector", "")})
                runs.append({"args": meta["args"], "env": meta.get("env", []), "cwd": meta.get("cwd", ""), "user": meta.get("user", ""),
                             "network": op["exec"].get("network", 0), "security": op["exec"].get("security", 0), "mounts": mounts})
            for action in (op.get("file") or {}).get("actions", []):
                action = action["Action"]
                if "mkfile" in action:
                    files.append({"file": action["mkfile"]["path"], "text": base64.b64decode(action["mkfile"].get("data", "")).decode(), "mode": action["mkfile"]["mode"]})
                elif "copy" in action:
                    copy = action["copy"]
                    files.append({"from": copy["src"], "to": copy["dest"], "mode": copy.get("mode", 0), "exclude": copy.get("exclude_patterns", [])})
        image = json.loads(subprocess.run(["docker", "image", "inspect", tag], capture_output=True, text=True, check=True).stdout)[0]["Config"]
        return {"config": {key: image[key] for key in CONFIG if image.get(key)}, "runs": runs, "files": files}

def answered(line):
    case = json.loads(line)
    case["answer"] = build(case)
    return json.dumps(case, ensure_ascii=False)

with open(sys.argv[1]) as cases, concurrent.futures.ThreadPoolExecutor(3) as pool:
    for line in pool.map(answered, cases):
        print(line, flush=True)
