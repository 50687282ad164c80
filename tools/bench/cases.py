"""The cases of `bench --ops`: those of ops.def, those in a file, and the same ops at other shapes."""
import os
import random
import re

FACTORS = (0.35, 0.5, 0.6, 0.75, 0.9, 1.3, 1.6, 2)


def all_cases():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "ops.def")) as file:
        return [" ".join(found[1].split()) for found in re.finditer(r"^OP\((.*)\)$", file.read(), re.MULTILINE)]


def cases_in(path):
    with open(path) as file:
        return file.read().splitlines()


def other_shapes(seed):
    """Each size above 4 of a case becomes another of its order, the same wherever the case has it. Most are odd, and some do not go
    together: those that an op refuses are left out by who measures them."""
    draw = random.Random(seed)
    return [other_shape(case, draw) for case in all_cases() if not re.search("model=|begin=", case)]


def other_shape(line, draw):
    op, *words = line.split()
    found = re.search(r"groups=(\d+)", line)
    groups = int(found[1]) if found else 1
    sizes = {int(size) for word in words if is_sized(word) for size in re.findall(r"\d+", word)}
    depthwise = groups in sizes
    other = {size: size if size <= 4 else another(size, 1 if depthwise or size % groups else groups, draw) for size in sorted(sizes)}
    return " ".join([op] + [re.sub(r"\d+", lambda size: str(other[int(size[0])]), word)
                            if is_sized(word) or (depthwise and word == f"groups={groups}") else word for word in words])


def is_sized(word):
    return re.fullmatch(r"([a-z]+:|to=|below=|)\d+(x\d+)*", word)


def another(size, unit, draw):
    """About as many units as size has."""
    return unit * max(1, round(size / unit * draw.choice(FACTORS)))
