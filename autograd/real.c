#include "autograd/real.h"

const char AG_PRECISION_GUARD = 0;
