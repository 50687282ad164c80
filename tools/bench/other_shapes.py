"""Shapes that ops.def does not name: each size above 4 in a line becomes another of its order, the same wherever the line has it.

Most are odd, and some do not go together; those that an op refuses are left out by who measures them.
"""
import random
import re

FACTORS = (0.35, 0.5, 0.6, 0.75, 0.9, 1.3, 1.6, 2)


def other_shapes(lines, seed):
    draw = random.Random(seed)
    return [other_shape(line, draw) for line in lines if not re.search("model=|begin=", line)]


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
