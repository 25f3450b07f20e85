"""What a home's lists hold, for tests."""

from small_day import DAY

from pipeline.publish import read_list


def files(home):
    """Every file of the lists with its bytes, and every link with its target."""
    found = {}
    for path in sorted((home / "lists").rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(home))] = f"-> {path.readlink()}"
        elif path.is_file() and "day=" not in path.relative_to(home / "lists").parts[0]:
            found[str(path.relative_to(home))] = path.read_bytes()
    return found


def users(home, day=DAY):
    return read_list(home, day)[0]["user_id"].to_pylist()
