package dev.belay.device.cuda;

import dev.belay.device.DeviceClock;
import dev.belay.io.Resources;
import java.util.ArrayList;
import java.util.List;

/** Marks that the device itself sets, as events in its stream. */
final class CudaClock implements DeviceClock, AutoCloseable {
    private final CudaQueue queue;
    private final CudaEvent origin = CudaEvent.create();
    private final List<CudaEvent> events = new ArrayList<>();
    private int marks;

    CudaClock(CudaQueue queue) {
        this.queue = queue;
        origin.record(queue.stream());
    }

    @Override
    public int mark() {
        if (marks == events.size()) {
            events.add(CudaEvent.create());
        }
        queue.flush();
        events.get(marks).record(queue.stream());
        return marks++;
    }

    @Override
    public double[] milliseconds() {
        queue.await();
        double[] times = new double[marks];
        for (int i = 0; i < marks; i++) {
            events.get(i).await();
            times[i] = events.get(i).millisecondsSince(origin);
        }
        marks = 0;
        return times;
    }

    @Override
    public void close() {
        Resources all = new Resources();
        all.own(origin);
        events.forEach(all::own);
        all.close();
    }
}
