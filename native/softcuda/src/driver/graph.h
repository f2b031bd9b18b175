// Graphs: what a capture gives, and what can be launched.
#pragma once

#include "capture.h"

namespace softcuda {

struct Graph : Object {
    std::vector<GraphNode> nodes;
    std::vector<CUgraphNode> handles;  // of the nodes
};

struct GraphExecutable : Object {
    ~GraphExecutable();
    u64 memory = 0;  // what it holds on the device; 0 = none
    // Replaced as a whole by an update: launches that are under way keep theirs. Under the scheduler's lock.
    std::shared_ptr<const std::vector<GraphNode>> nodes;
    TicketRef last;  // ends with the last launch; the next one waits for it, in whatever stream
};

// Where and why a graph cannot take the place of another one.
struct GraphDifference {
    CUgraphExecUpdateResult result = CU_GRAPH_EXEC_UPDATE_SUCCESS;
    i64 node = -1, from = -1;  // -1: none
};

CUgraph makeGraph(Context& context, std::vector<GraphNode> nodes);
GraphDifference compare(const std::vector<GraphNode>& before, const std::vector<GraphNode>& after);

}  // namespace softcuda
