package dev.belay.text.jinja;

import java.util.ArrayList;
import java.util.List;

/** A part of a template that prints or assigns. */
interface Statement {
    /** How the statements of a loop go on behind one of them. */
    enum Flow {
        NEXT,
        BREAK,
        CONTINUE
    }

    Flow run(Scope scope, StringBuilder out);

    /** What it prints. */
    static String render(Statement statement, Scope scope) {
        StringBuilder out = new StringBuilder();
        statement.run(scope, out);
        return Budget.made(out.toString());
    }

    /** Where a value goes. */
    interface Target {
        void assign(Scope scope, Object value);

        /** Several targets, which take the items of the value. */
        static Target several(List<Target> targets) {
            return (scope, value) -> {
                List<Object> items = Values.list(Undefined.check(value));
                if (items.size() != targets.size()) {
                    throw new TemplateFailure(
                            "a value of " + items.size() + " items is assigned to " + targets.size() + " variables");
                }
                for (int i = 0; i < items.size(); i++) {
                    targets.get(i).assign(scope, items.get(i));
                }
            };
        }

        /** {@code name.attribute} of a namespace. */
        static Target attribute(String name, String attribute) {
            return (scope, value) -> {
                if (!(scope.get(name) instanceof Namespace namespace)) {
                    throw new TemplateFailure("'" + name + "' is no namespace, whose attributes alone can be set");
                }
                namespace.set(attribute, value);
            };
        }
    }

    /** Statements one after the other. */
    record Block(List<Statement> statements) implements Statement {
        @Override
        public Flow run(Scope scope, StringBuilder out) {
            for (Statement statement : statements) {
                Flow flow = statement.run(scope, out);
                if (flow != Flow.NEXT) {
                    return flow;
                }
            }
            return Flow.NEXT;
        }
    }

    /** {@code {{ value }}}. */
    record Print(Expression value) implements Statement {
        @Override
        public Flow run(Scope scope, StringBuilder out) {
            Budget.step();
            String text = PythonText.str(value.eval(scope));
            Budget.fits((long) out.length() + text.length());
            out.append(text);
            return Flow.NEXT;
        }
    }

    /** {@code if}, its {@code elif}s and {@code else}, whose condition is true. */
    record If(List<Expression> conditions, List<Statement> bodies) implements Statement {
        @Override
        public Flow run(Scope scope, StringBuilder out) {
            Budget.step();
            for (int i = 0; i < conditions.size(); i++) {
                if (Values.truth(conditions.get(i).eval(scope))) {
                    return bodies.get(i).run(scope, out);
                }
            }
            return Flow.NEXT;
        }
    }

    /**
     * {@code for}: a scope of its own for each turn. As in Jinja2, {@code else} also follows if {@code break} or {@code continue} ended
     * every turn.
     *
     * @param condition which items to take; may be null
     */
    record For(
            Target target,
            Expression items,
            Expression condition,
            boolean recursive,
            Statement body,
            Statement otherwise)
            implements Statement {
        @Override
        public Flow run(Scope scope, StringBuilder out) {
            return run(items.eval(scope), 0, scope, out);
        }

        private Flow run(Object value, long depth, Scope scope, StringBuilder out) {
            Budget.step();
            List<Object> all = Values.list(value);
            Loop loop = new Loop(
                    condition == null ? all : chosen(all, scope),
                    depth,
                    recursive
                            ? (inner, level) -> {
                                StringBuilder text = new StringBuilder();
                                run(inner, level, scope, text);
                                return Budget.made(text.toString());
                            }
                            : null);
            Flow flow = Flow.NEXT;
            boolean completed = false;
            while (flow != Flow.BREAK && loop.hasNext()) {
                Scope turn = new Scope(scope);
                target.assign(turn, loop.next());
                turn.set("loop", loop);
                flow = body.run(turn, out);
                completed |= flow == Flow.NEXT;
            }
            return completed ? Flow.NEXT : otherwise.run(new Scope(scope), out);
        }

        private List<Object> chosen(List<Object> items, Scope scope) {
            List<Object> chosen = new ArrayList<>();
            for (Object item : items) {
                Budget.step();
                Scope turn = new Scope(scope);
                target.assign(turn, item);
                if (Values.truth(condition.eval(turn))) {
                    chosen.add(item);
                }
            }
            return chosen;
        }
    }
}
