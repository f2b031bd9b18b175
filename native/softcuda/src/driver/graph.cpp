#include "graph.h"

#include <algorithm>

#include "../check/checker.h"
#include "../memory/device_memory.h"
#include "stream.h"

namespace softcuda {
namespace {

// A node's handle leads nowhere: it only names the node.
struct NodeName : Object {};

template <class T>
std::shared_ptr<T> owned(const Context& context, const void* handle) {
    auto object = find<T>(handle);
    return object != nullptr && object->owner == &context ? object : nullptr;
}

// Places may move, but stay in the same kind of memory.
bool samePlaces(const CopyWork& a, const CopyWork& b) {
    bool linear = a.height == 1 && b.height == 1;
    return a.destination.kind == b.destination.kind && a.source.kind == b.source.kind &&
           (linear ||
            (a.width == b.width && a.height == b.height && a.destination.pitch == b.destination.pitch && a.source.pitch == b.source.pitch));
}

CUgraphExecUpdateResult compareWork(const Work& before, const Work& after) {
    if (before.index() != after.index()) return CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED;
    if (const auto* copy = std::get_if<CopyWork>(&before))
        if (!samePlaces(*copy, std::get<CopyWork>(after))) return CU_GRAPH_EXEC_UPDATE_ERROR_PARAMETERS_CHANGED;
    if (const auto* fill = std::get_if<FillWork>(&before))
        if (fill->destination.kind != std::get<FillWork>(after).destination.kind) return CU_GRAPH_EXEC_UPDATE_ERROR_PARAMETERS_CHANGED;
    return CU_GRAPH_EXEC_UPDATE_SUCCESS;
}

}  // namespace

GraphExecutable::~GraphExecutable() {
    if (memory != 0) DeviceMemory::get().release(memory);
}

CUgraph makeGraph(Context& context, std::vector<GraphNode> nodes) {
    auto graph = std::make_shared<Graph>();
    graph->owner = &context;
    graph->nodes = std::move(nodes);
    for (std::size_t k = 0; k < graph->nodes.size(); k++) {
        auto name = std::make_shared<NodeName>();
        name->owner = &context;
        graph->handles.push_back(publish<CUgraphNode>(name));
    }
    return publish<CUgraph>(graph);
}

GraphDifference compare(const std::vector<GraphNode>& before, const std::vector<GraphNode>& after) {
    if (before.size() != after.size()) return {CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED, -1, -1};
    for (std::size_t k = 0; k < before.size(); k++) {
        i64 node = static_cast<i64>(k);
        const auto &was = before[k].after, &is = after[k].after;
        if (was != is) {
            auto extra = std::find_if(is.begin(), is.end(), [&](u32 from) { return std::find(was.begin(), was.end(), from) == was.end(); });
            return {CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED, node, extra == is.end() ? -1 : static_cast<i64>(*extra)};
        }
        CUgraphExecUpdateResult result = compareWork(before[k].work, after[k].work);
        if (result != CU_GRAPH_EXEC_UPDATE_SUCCESS) return {result, node, -1};
    }
    return {};
}

EXPORT CUresult cuGraphDestroy(CUgraph handle) {
    return inAnyContext([&](Context& context) {
        auto graph = owned<Graph>(context, handle);
        if (graph == nullptr) return CUDA_ERROR_INVALID_VALUE;
        for (CUgraphNode node : graph->handles) retire(node);
        retire(handle);
        return CUDA_SUCCESS;
    });
}

EXPORT CUresult cuGraphGetNodes(CUgraph handle, CUgraphNode* nodes, size_t* count) {
    return inContext([&](Context& context) {
        auto graph = owned<Graph>(context, handle);
        if (graph == nullptr || count == nullptr) return CUDA_ERROR_INVALID_VALUE;
        if (nodes != nullptr) {
            std::size_t some = std::min(*count, graph->handles.size());
            std::copy_n(graph->handles.begin(), some, nodes);
            std::fill(nodes + some, nodes + *count, nullptr);
            *count = some;
        } else {
            *count = graph->handles.size();
        }
        return CUDA_SUCCESS;
    });
}

EXPORT CUresult cuGraphInstantiateWithFlags(CUgraphExec* out, CUgraph handle, unsigned long long flags) {
    return inContext([&](Context& context) {
        auto graph = owned<Graph>(context, handle);
        constexpr unsigned long long known = CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH | CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD |
                                             CUDA_GRAPH_INSTANTIATE_FLAG_DEVICE_LAUNCH | CUDA_GRAPH_INSTANTIATE_FLAG_USE_NODE_PRIORITY;
        if (out == nullptr || graph == nullptr || (flags & ~known) != 0) return CUDA_ERROR_INVALID_VALUE;
        if ((flags & CUDA_GRAPH_INSTANTIATE_FLAG_DEVICE_LAUNCH) != 0) return CUDA_ERROR_NOT_SUPPORTED;
        auto executable = std::make_shared<GraphExecutable>();
        executable->owner = &context;
        if (u64 bytes = settings().graphBytes) {
            executable->memory = DeviceMemory::get().allocate(bytes, "executable graph");
            if (executable->memory == 0) return CUDA_ERROR_OUT_OF_MEMORY;
        }
        executable->nodes = std::make_shared<const std::vector<GraphNode>>(graph->nodes);
        *out = publish<CUgraphExec>(executable);
        return CUDA_SUCCESS;
    });
}

EXPORT CUresult cuGraphExecDestroy(CUgraphExec handle) {
    return inAnyContext([&](Context& context) {
        if (owned<GraphExecutable>(context, handle) == nullptr) return CUDA_ERROR_INVALID_VALUE;
        retire(handle);
        return CUDA_SUCCESS;
    });
}

EXPORT CUresult cuGraphLaunch(CUgraphExec handle, CUstream stream) {
    return inContext([&](Context& context) {
        static std::atomic<u64> launches{0};
        auto executable = owned<GraphExecutable>(context, handle);
        if (executable == nullptr) return CUDA_ERROR_INVALID_VALUE;
        std::shared_ptr<const std::vector<GraphNode>> nodes;
        std::vector<TicketRef> after;
        {
            Scheduler::Lock lock = context.scheduler.lock();
            nodes = executable->nodes;
            if (executable->last) after.push_back(executable->last);
        }
        TicketRef ticket;
        CUresult status = enqueue(context, stream, GraphWork{std::move(nodes), ++launches}, &ticket, std::move(after));
        if (ticket == nullptr) return status;
        Scheduler::Lock lock = context.scheduler.lock();
        executable->last = std::move(ticket);
        return status;
    });
}

EXPORT CUresult cuGraphExecUpdate_v2(CUgraphExec executableHandle, CUgraph graphHandle, CUgraphExecUpdateResultInfo* info) {
    return inContext([&](Context& context) {
        auto executable = owned<GraphExecutable>(context, executableHandle);
        auto graph = owned<Graph>(context, graphHandle);
        if (executable == nullptr || graph == nullptr || info == nullptr) return CUDA_ERROR_INVALID_VALUE;
        Scheduler::Lock lock = context.scheduler.lock();
        GraphDifference difference = compare(*executable->nodes, graph->nodes);
        auto handleOf = [&](i64 node) { return node < 0 ? nullptr : graph->handles[static_cast<std::size_t>(node)]; };
        *info = {difference.result, handleOf(difference.node), handleOf(difference.from)};
        if (difference.result != CU_GRAPH_EXEC_UPDATE_SUCCESS) return CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
        executable->nodes = std::make_shared<const std::vector<GraphNode>>(graph->nodes);
        return CUDA_SUCCESS;
    });
}

}  // namespace softcuda
