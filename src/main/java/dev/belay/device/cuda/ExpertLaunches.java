package dev.belay.device.cuda;

import dev.belay.device.Mixture;

/**
 * The kernels of a mixture of experts: which experts compute which tokens is decided and stays on the device, so that the launches
 * depend on the shapes alone and the host never waits.
 */
final class ExpertLaunches {
    private final CudaDevice device;

    ExpertLaunches(CudaDevice device) {
        this.device = device;
    }

    /**
     * Where the router's choice lies on the device.
     *
     * @param experts the experts of each token, [T, k], by rising number
     * @param shares their weights, [T, k]
     * @param offsets of each expert's pairs of a token and an expert, [E + 1]
     * @param pairs in the order of experts, [T · k]
     * @param places of the pairs in that order, [T · k]
     */
    private record Routing(long experts, long shares, long offsets, long pairs, long places) {
        static long bytes(int pairs, int experts) {
            return (4L * pairs + experts + 1) * Integer.BYTES;
        }

        static Routing at(long address, int pairs, int experts) {
            long each = (long) pairs * Integer.BYTES;
            return new Routing(address, address + each, address + 4 * each, address + 2 * each, address + 3 * each);
        }
    }

    /**
     * x[t, :] += the mixture.
     *
     * @param logits the router's
     * @param normed [T, D], numbers of the device's type
     */
    void run(
            CudaBuffer logits,
            CudaBuffer normed,
            int tokens,
            Mixture mixture,
            CudaBuffer gateUp,
            CudaBuffer activated,
            CudaBuffer outputs,
            CudaBuffer x) {
        int pairs = tokens * mixture.top();
        int inner = mixture.inner();
        long bytes = Routing.bytes(pairs, mixture.experts());
        Routing routing = Routing.at(device.scratch("routing to experts", bytes), pairs, mixture.experts());
        route(logits, tokens, mixture, routing);
        CudaMatrix first = CudaMatrix.of(mixture.gateUp());
        product(normed, first, 2 * inner, true, tokens, mixture, routing, gateUp);
        device.swiglu(gateUp, pairs, inner, activated);
        CudaMatrix second = CudaMatrix.of(mixture.down());
        product(activated, second, mixture.hidden(), false, tokens, mixture, routing, outputs);
        CudaKernel kernel = device.kernel(KernelCatalog.COMBINE_F32);
        kernel.pointer(outputs.address())
                .pointer(routing.places())
                .pointer(routing.shares())
                .i32(mixture.top())
                .i32(mixture.hidden())
                .pointer(x.address());
        device.queue().launch(kernel, KernelCatalog.addBiasShape(tokens, mixture.hidden()));
    }

    private void route(CudaBuffer logits, int tokens, Mixture mixture, Routing routing) {
        int pairs = tokens * mixture.top();
        CudaKernel router = device.kernel(KernelCatalog.ROUTER_F32);
        router.pointer(logits.address())
                .i32(tokens)
                .i32(mixture.experts())
                .i32(mixture.top())
                .i32(mixture.normalized() ? 1 : 0)
                .pointer(routing.experts())
                .pointer(routing.shares());
        device.queue().launch(router, KernelCatalog.routerShape(tokens));
        CudaKernel groups = device.kernel(KernelCatalog.EXPERT_GROUPS);
        groups.pointer(routing.experts())
                .i32(pairs)
                .pointer(routing.offsets())
                .pointer(routing.pairs())
                .pointer(routing.places());
        device.queue().launch(groups, KernelCatalog.expertGroupsShape(mixture.experts(), pairs));
    }

    /** out[pair, 0..rows) = weights of the pair's expert · a; {@code a} has a row for each token, or for each pair. */
    private void product(
            CudaBuffer a,
            CudaMatrix weights,
            int rows,
            boolean byToken,
            int tokens,
            Mixture mixture,
            Routing routing,
            CudaBuffer out) {
        int top = mixture.top();
        int pairs = tokens * top;
        KernelSignature signature = KernelCatalog.expertProductOf(
                weights.type(), tokens, pairs, mixture.experts(), rows, device.multiprocessors());
        CudaKernel kernel = device.kernel(signature);
        kernel.pointer(a.address())
                .i32(weights.columns())
                .pointer(weights.address())
                .pointer(routing.experts())
                .pointer(routing.offsets())
                .pointer(routing.pairs())
                .i32(byToken ? top : 0)
                .pointer(out.address())
                .i32(tokens)
                .i32(rows)
                .i32(weights.columns())
                .i32(mixture.experts());
        device.queue()
                .launch(kernel, KernelCatalog.expertProductShape(signature, tokens, pairs, mixture.experts(), rows));
    }
}
