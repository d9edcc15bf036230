"""Runs a script as SageMaker's training toolkit does (script mode of SDK 2).

The contract is that of the package `sagemaker-training`: the layout below /opt/ml, the variables
SM_*, the arguments made of hyperparameters, and the files `failure` and `success`.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import threading
from collections import deque

BASE = os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")
INPUT = os.path.join(BASE, "input")
CONFIG = os.path.join(INPUT, "config")
DATA = os.path.join(INPUT, "data")
OUTPUT = os.path.join(BASE, "output")
CODE = os.path.join(BASE, "code")
MODEL = os.path.join(BASE, "model")
# The script's own messages may be long; a reason has 1024 characters.
ERROR_LINES = 30
ERROR_CHARS = 700
# Hyperparameters of the toolkit itself; others with the prefix are for the framework.
OWN = {
    "sagemaker_base_dir",
    "sagemaker_container_log_level",
    "sagemaker_enable_cloudwatch_metrics",
    "sagemaker_job_name",
    "sagemaker_program",
    "sagemaker_region",
    "sagemaker_s3_output",
    "sagemaker_submit_directory",
}


class Failure(Exception):
    def __init__(self, kind, code, message, command):
        self.code = code
        shown = f'\nErrorMessage "{message}"\nCommand "{command}"'
        super().__init__(f"{kind}:\nExitCode {code}{shown}")


def decoded(value):
    try:
        return json.loads(value)
    except (TypeError, ValueError):
        return value


def read(name):
    path = os.path.join(CONFIG, name)
    if not os.path.exists(path):
        return {}
    with open(path) as file:
        return json.load(file)


def text(value):
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def unpack(source):
    """Puts the code into its folder."""
    os.makedirs(CODE, exist_ok=True)
    fetched = os.path.join(INPUT, "submit", "sourcedir.tar.gz")
    if str(source).startswith("s3://"):
        source = fetched
    if source and os.path.isdir(source):
        if os.path.realpath(source) != os.path.realpath(CODE):
            shutil.copytree(source, CODE, dirs_exist_ok=True)
    elif source and os.path.isfile(source):
        with tarfile.open(source) as archive:
            try:
                archive.extractall(CODE, filter="tar")
            except TypeError:
                archive.extractall(CODE)
    elif source:
        raise Failure("ClientError", 1, f"no code at {source}", "unpack")


def arguments(hyperparameters):
    result = []
    for name in sorted(hyperparameters):
        value = hyperparameters[name]
        if isinstance(value, dict):
            value = ",".join(f"{key}={value[key]}" for key in sorted(value))
        result += [f"--{name}" if len(name) > 1 else f"-{name}", str(value)]
    return result


def variables(user, framework, program, args, resources, channels):
    hosts = resources.get("hosts", ["algo-1"])
    host = resources.get("current_host", "algo-1")
    group = resources.get("current_group_name", "homogeneousCluster")
    groups = resources.get("instance_groups", [])
    instance = resources.get("current_instance_type", "local")
    module = program[:-3] if program.endswith(".py") else program
    submit = os.environ.get("SIDESTEP_SUBMIT", CODE)
    log_level = framework.pop("sagemaker_container_log_level", 20)
    result = {
        "SM_HOSTS": hosts,
        "SM_NETWORK_INTERFACE_NAME": resources.get("network_interface_name", "lo"),
        "SM_HPS": user,
        "SM_USER_ENTRY_POINT": program,
        "SM_FRAMEWORK_PARAMS": {k: v for k, v in framework.items() if k not in OWN},
        "SM_RESOURCE_CONFIG": resources,
        "SM_INPUT_DATA_CONFIG": channels,
        "SM_OUTPUT_DATA_DIR": os.path.join(OUTPUT, "data"),
        "SM_CHANNELS": sorted(channels),
        "SM_CURRENT_HOST": host,
        "SM_CURRENT_INSTANCE_TYPE": instance,
        "SM_CURRENT_INSTANCE_GROUP": group,
        "SM_CURRENT_INSTANCE_GROUP_HOSTS": hosts,
        "SM_INSTANCE_GROUPS": [one.get("instance_group_name", group) for one in groups],
        "SM_INSTANCE_GROUPS_DICT": {one.get("instance_group_name", group): one for one in groups},
        "SM_DISTRIBUTION_INSTANCE_GROUPS": [],
        "SM_IS_HETERO": "false",
        "SM_MODULE_NAME": module,
        "SM_LOG_LEVEL": log_level,
        "SM_FRAMEWORK_MODULE": os.environ.get("SAGEMAKER_TRAINING_MODULE", ""),
        "SM_INPUT_DIR": INPUT,
        "SM_INPUT_CONFIG_DIR": CONFIG,
        "SM_OUTPUT_DIR": OUTPUT,
        "SM_NUM_CPUS": os.cpu_count() or 1,
        "SM_NUM_GPUS": 0,
        "SM_NUM_NEURONS": 0,
        "SM_MODEL_DIR": MODEL,
        "SM_MODULE_DIR": submit,
        "SM_USER_ARGS": args,
        "SM_OUTPUT_INTERMEDIATE_DIR": os.path.join(OUTPUT, "intermediate"),
    }
    env = {name[3:].lower(): value for name, value in result.items()}
    for name in channels:
        result[f"SM_CHANNEL_{name.upper()}"] = os.path.join(DATA, name)
    for name, value in user.items():
        result[f"SM_HP_{name.upper()}"] = value
    env["hyperparameters"] = user
    env["channel_input_dirs"] = {name: os.path.join(DATA, name) for name in channels}
    env["job_name"] = os.environ.get("TRAINING_JOB_NAME", "")
    result["SM_TRAINING_ENV"] = env
    return {name: text(value) for name, value in result.items()}


def run(command, environment, kind):
    """Runs a command in the code folder; what it writes to stderr is shown and kept."""
    process = subprocess.Popen(
        command, cwd=CODE, env=environment, stderr=subprocess.PIPE, errors="replace"
    )
    last = deque(maxlen=ERROR_LINES)

    def follow():
        for line in process.stderr:
            sys.stderr.write(line)
            sys.stderr.flush()
            last.append(line)

    reader = threading.Thread(target=follow, daemon=True)
    reader.start()
    code = process.wait()
    reader.join(timeout=2)
    if code != 0:
        # A process of Python's own gives the signal as a negative number.
        code = 128 - code if code < 0 else code
        shown = "".join(last).strip()[-ERROR_CHARS:]
        raise Failure(kind, code, shown, " ".join(shlex.quote(one) for one in command))


def train():
    given = {name: decoded(value) for name, value in read("hyperparameters.json").items()}
    user = {k: v for k, v in given.items() if not k.startswith("sagemaker_")}
    framework = {k: v for k, v in given.items() if k.startswith("sagemaker_")}
    program = str(framework["sagemaker_program"])
    source = framework.get("sagemaker_submit_directory")
    os.environ["SIDESTEP_SUBMIT"] = str(source or CODE)
    unpack(source)
    args = arguments(user)
    resources, channels = read("resourceconfig.json"), read("inputdataconfig.json")
    environment = dict(os.environ)
    environment.pop("SIDESTEP_SUBMIT")
    environment.update(variables(user, framework, program, args, resources, channels))
    paths = [CODE] + [path for path in [environment.get("PYTHONPATH")] if path]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    os.makedirs(os.path.join(OUTPUT, "intermediate"), exist_ok=True)
    has = lambda name: os.path.exists(os.path.join(CODE, name))
    pip = [sys.executable, "-m", "pip", "install"]
    if has("requirements.txt"):
        run(pip + ["-r", "requirements.txt"], environment, "InstallRequirementsError")
    if program.endswith(".sh"):
        line = " ".join([f"./{program}"] + [shlex.quote(one) for one in args])
        if has(program):
            os.chmod(os.path.join(CODE, program), 0o755)
        command = ["/bin/sh", "-c", line]
    elif has("setup.py"):
        run(pip + ["."], environment, "InstallModuleError")
        command = [sys.executable, "-m", program[:-3] if program.endswith(".py") else program]
        command += args
    else:
        command = [sys.executable, program] + args
    shown = {k: v for k, v in environment.items() if k.startswith("SM_")}
    for name in sorted(shown):
        print(f"{name}={shown[name]}")
    print("\nInvoking script with the following command:\n")
    print(" ".join(shlex.quote(one) for one in command) + "\n", flush=True)
    run(command, environment, "ExecuteUserScriptError")


def main():
    try:
        train()
    except Failure as failure:
        with open(os.path.join(OUTPUT, "failure"), "w") as file:
            file.write(str(failure))
        sys.exit(failure.code if 0 < failure.code < 256 else 1)
    open(os.path.join(OUTPUT, "success"), "w").close()


main()
