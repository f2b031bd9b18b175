// Which memory an address of a call means.
#pragma once

#include "context.h"

namespace softcuda {

// The place of `span` bytes at a device address, or at one in pinned host memory. `what` is for the message.
CUresult devicePlace(u64 address, u64 span, const char* what, Place& place);
// The place of `span` bytes of the host's memory.
CUresult hostPlace(const void* address, u64 span, const char* what, Place& place);
// Frees everything that calls have allocated, when the context ends.
void releaseAllMemory(Context& context);

}  // namespace softcuda
