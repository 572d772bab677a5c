"""Files that are all there or not at all: atomic writes, strict JSON, bundles with a checksum."""

from aetia.files.atomic import UNFINISHED, replacing_file, write_atomically
from aetia.files.bundle import Bundle, is_bundle, load_bundle, save_bundle
from aetia.files.run_folder import check_writable, replacing_run
from aetia.files.strict_json import dump_json, plain_json, read_json, write_json

__all__ = [
    "UNFINISHED",
    "Bundle",
    "check_writable",
    "dump_json",
    "is_bundle",
    "load_bundle",
    "plain_json",
    "read_json",
    "replacing_file",
    "replacing_run",
    "save_bundle",
    "write_atomically",
    "write_json",
]
