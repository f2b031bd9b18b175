// Putting work into streams.
#pragma once

#include "context.h"

namespace softcuda {

// Adds work to a stream, which then also waits for `after`, or a node to the graph that is captured from it. `ticket`, if given, becomes
// what ends with the work: null if the work was captured.
CUresult enqueue(Context& context, CUstream handle, Work work, TicketRef* ticket = nullptr, std::vector<TicketRef> after = {});
// Waits for a ticket; returns how the context has failed.
CUresult await(Context& context, const TicketRef& ticket);
// Whether the stream is being captured.
bool capturing(Context& context, CUstream handle);

}  // namespace softcuda
