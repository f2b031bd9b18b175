package dev.belay.device.cpu;

/** x += down · (silu(gate) ∘ up) of normed tokens; gate and up are cut into panels alike, and so are the activated numbers. */
final class FusedFeedForward extends FusedBlocks {
    private CpuBuffer[] gateUp = new CpuBuffer[0];
    private CpuBuffer[] activated = new CpuBuffer[0];
    private CpuMatrix firstWeights;
    private CpuMatrix downWeights;
    private Panel[] first;
    private Panel[] down;
    private CpuBuffer x;
    private int width;
    private int inner;

    FusedFeedForward(MemoryPool memory, boolean bfloat16) {
        super(memory, bfloat16);
    }

    void run(ThreadTeam team, CpuBuffer x, CpuBuffer norm, float eps, int tokens, CpuMatrix gateUp, CpuMatrix down) {
        this.x = x;
        firstWeights = gateUp;
        downWeights = down;
        first = gateUp.packed(team);
        this.down = down.packed(team);
        width = gateUp.columns();
        inner = down.columns();
        this.gateUp = scratch(this.gateUp, team.size(), 2L * BLOCK * widest(), false);
        activated = scratch(activated, team.size(), (long) BLOCK * inner, bfloat16());
        run(team, x, norm, eps, tokens, width);
    }

    private int widest() {
        int widest = 0;
        for (Panel panel : first) {
            widest = Math.max(widest, panel.rows());
        }
        return widest;
    }

    @Override
    void prepare(int count) {
        for (Panel panel : first) {
            panel.prepare(count, width, panel.rows(), false);
        }
        for (Panel panel : down) {
            panel.prepare(count, inner, width, true);
        }
    }

    @Override
    void block(int from, int count, CpuBuffer normed, int worker) {
        CpuBuffer products = gateUp[worker];
        CpuBuffer act = activated[worker];
        int half = first.length / 2;
        for (int p = 0; p < half; p++) {
            int rows = first[p].rows();
            long ups = (long) count * rows;
            first[p].multiply(worker, normed.address(), width, count, products.address(), rows, false);
            long upAddress = products.address() + ups * Float.BYTES;
            first[half + p].multiply(worker, normed.address(), width, count, upAddress, rows, false);
            for (int t = 0; t < count; t++) {
                long gate = (long) t * rows;
                long target = (long) t * inner + firstWeights.panelStart(p);
                SwiGlu.activate(products.segment(), gate, ups + gate, rows, act.segment(), target, bfloat16());
            }
        }
        for (int p = 0; p < down.length; p++) {
            long target = (long) from * width + downWeights.panelStart(p);
            down[p].multiply(worker, act.address(), inner, count, x.address() + target * Float.BYTES, width, true);
        }
    }

    @Override
    public void close() {
        super.close();
        close(gateUp);
        close(activated);
    }
}
