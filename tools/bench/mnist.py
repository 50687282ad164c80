"""MNIST's files, for the benchmark's peers."""
import os

import numpy as np
import torch


def read_idx(folder, name):
    """The bytes of an IDX file as a tensor of its shape."""
    data = np.fromfile(os.path.join(folder, name), np.uint8)
    rank = data[3]
    return torch.from_numpy(data[4 + 4 * rank:].reshape(np.frombuffer(data[4:4 + 4 * rank], ">u4").astype(int)).copy())
