"""Dry runs of many studies by one process: Snakemake is imported once, and every study has a fork of its own.

python dry_runs.py STUDY.yaml ...     in a checkout; prints {study file: [exit code, output]} as JSON
"""

import json
import os
import sys
import tempfile

ARGUMENTS = ("--workflow-profile", "profiles/default", "--cores", "1", "--dry-run", "--quiet", "rules")


def dry_run(study: str) -> tuple[int, str]:
    """Exit code and output of ``snakemake --dry-run`` with a study."""
    from snakemake.cli import main

    with tempfile.TemporaryFile() as out:
        child = os.fork()
        if not child:
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
            main([*ARGUMENTS, "--configfile", study])  # leaves by sys.exit
        _, status = os.waitpid(child, 0)
        out.seek(0)
        return os.waitstatus_to_exitcode(status), out.read().decode()


if __name__ == "__main__":
    print(json.dumps({study: dry_run(study) for study in sys.argv[1:]}))
