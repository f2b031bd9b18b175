// The barriers of a block.
#pragma once

#include "warp.h"

namespace softcuda {

// After a warp has ended, or when nothing can run any more: releases the barriers whose missing warps have all ended. Returns whether any
// was released. When checked, a warp that ended before a barrier that the block waits at is a finding.
bool releaseAfterExit(Block& block);

// Told when warps wait and none can run: names who waits where. Releases them all, so that report mode can go on.
void tellStuck(Block& block);

}  // namespace softcuda
