package dev.belay.run;

import dev.belay.io.Messages;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;

/**
 * Listens for Ctrl-C and SIGTERM: the first asks a run to stop after the unit at hand, the second stops the process now. Signals that
 * come together are one: who stops a group of processes signals the launcher, which passes it on, and Java itself. The JDK has
 * no other way than sun.misc.Signal, and javac warns of every mention of that, so it is called by name.
 */
final class StopRequest implements AutoCloseable {
    private static final int EXIT_CODE = 130;
    private static final long TOGETHER_NANOSECONDS = 300_000_000;

    private final Messages messages = Messages.current();
    private final List<Runnable> undo = new ArrayList<>();
    private volatile boolean asked;
    private long askedAt;

    StopRequest() {
        try {
            Class<?> signalClass = Class.forName("sun.misc.Signal");
            Class<?> handlerClass = Class.forName("sun.misc.SignalHandler");
            Method handle = signalClass.getMethod("handle", signalClass, handlerClass);
            Object handler = Proxy.newProxyInstance(
                    StopRequest.class.getClassLoader(),
                    new Class<?>[] {handlerClass},
                    (proxy, method, arguments) -> ask());
            for (String name : List.of("INT", "TERM")) {
                Object signal = signalClass.getConstructor(String.class).newInstance(name);
                Object before = handle.invoke(null, signal, handler);
                undo.add(() -> restore(handle, signal, before));
            }
        } catch (ReflectiveOperationException e) {
            // A JVM that keeps the signals to itself, as with -Xrs: they end the process at once, and the journal
            // stays.
            asked = false;
        }
    }

    private static void restore(Method handle, Object signal, Object before) {
        try {
            handle.invoke(null, signal, before);
        } catch (IllegalAccessException | InvocationTargetException e) {
            throw new IllegalStateException(e);
        }
    }

    private synchronized Object ask() {
        if (asked) {
            if (System.nanoTime() - askedAt > TOGETHER_NANOSECONDS) {
                Runtime.getRuntime().halt(EXIT_CODE);
            }
            return null;
        }
        askedAt = System.nanoTime();
        asked = true;
        messages.notice("stopping after the batch at hand; once more stops now");
        return null;
    }

    /** Whether a signal came. */
    boolean asked() {
        return asked;
    }

    @Override
    public void close() {
        undo.forEach(Runnable::run);
    }
}
