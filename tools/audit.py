"""Known vulnerabilities of the installed packages, by pip-audit: `make audit`.

Exit code 0: all packages were looked up, and none has a known vulnerability. 1: some have, and are named. 2: nothing,
or not everything, could be looked up, as without a connection: that is no result.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any


def audited(command: Sequence[str]) -> list[dict[str, Any]] | None:
    """What pip-audit says of each package; None where it could not ask."""
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (KeyError, ValueError):
        lines = done.stderr.strip().splitlines() or ["no message"]
        print(f"pip-audit gave no result: {lines[-1][:200]}", file=sys.stderr)
        return None
    return packages


def verdict(packages: list[dict[str, Any]] | None) -> int:
    """Print what was found, and return the exit code."""
    if packages is None:
        print("nothing was audited: the advisory service cannot be reached; run it again with a connection")
        return 2
    vulnerable = [package for package in packages if package.get("vulns")]
    for package in vulnerable:
        for fault in package["vulns"]:
            fixed = ", ".join(fault.get("fix_versions") or ["none yet"])
            print(f"{package['name']} {package['version']}: {fault['id']}; fixed in: {fixed}")
    # the project itself is on no index until it is published
    skipped = [package["name"] for package in packages if "skip_reason" in package and package["name"] != "seankit"]
    print(f"{len(packages) - len(skipped)} packages looked up, {len(vulnerable)} with a known vulnerability")
    if skipped:
        names = ", ".join(skipped[:5]) + (" and more" if len(skipped) > 5 else "")
        print(f"{len(skipped)} could not be looked up ({names}): the advisory service does not answer for them")
    return 1 if vulnerable else 2 if skipped else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Audit the environment of this interpreter."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args(arguments)
    options = ["--local", "--format", "json", "--progress-spinner", "off"]
    return verdict(audited([sys.executable, "-m", "pip_audit", *options]))


if __name__ == "__main__":
    sys.exit(main())
