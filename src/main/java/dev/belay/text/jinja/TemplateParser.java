package dev.belay.text.jinja;

import dev.belay.text.jinja.Lexer.Kind;
import dev.belay.text.jinja.Statement.Flow;
import dev.belay.text.jinja.Statement.Target;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Reads the statements of a template: Jinja2's, {@code break} and {@code continue}, and the {@code generation} of transformers. */
final class TemplateParser extends ExpressionParser {
    private static final Set<String> UNKNOWN =
            Set.of("autoescape", "block", "do", "extends", "from", "import", "include", "trans");
    private static final Set<String> CONSTANTS = Set.of("true", "True", "false", "False", "none", "None");

    private int loops;

    private TemplateParser(String template) {
        super(Lexer.tokens(template));
    }

    /**
     * Reads a template.
     *
     * @throws TemplateFailure with the line of what is wrong
     */
    static Statement read(String template) {
        TemplateParser parser = new TemplateParser(template);
        Statement all = parser.block(Set.of(), "");
        if (parser.missing != null) {
            throw parser.missing;
        }
        return all;
    }

    /** Statements up to a tag that begins with one of these names, of which the parser then stands behind. */
    private Statement block(Set<String> ends, String opening) {
        List<Statement> statements = new ArrayList<>();
        while (true) {
            switch (token().kind()) {
                case TEXT -> {
                    String text = (String) next().value();
                    statements.add((_, out) -> {
                        Budget.fits((long) out.length() + text.length());
                        out.append(text);
                        return Flow.NEXT;
                    });
                }
                case PRINT -> {
                    next();
                    statements.add(new Statement.Print(tuple(true, false)));
                    expect(Kind.PRINT_END, "'}}'");
                }
                case TAG -> {
                    next();
                    if (token().kind() == Kind.NAME && ends.contains((String) token().value())) {
                        return new Statement.Block(statements);
                    }
                    statements.add(nested(this::statement));
                }
                default -> {
                    if (!ends.isEmpty()) {
                        throw failure("the end is reached, but '" + opening + "' is not closed");
                    }
                    return new Statement.Block(statements);
                }
            }
        }
    }

    private void expect(Kind kind, String words) {
        if (token().kind() != kind) {
            throw expected(words);
        }
        next();
    }

    private void endTag() {
        expect(Kind.TAG_END, "'%}'");
    }

    /** The statements of a tag up to its end tag, with both ends of both tags. */
    private Statement body(String tag) {
        endTag();
        Statement body = block(Set.of("end" + tag), tag);
        next();
        endTag();
        return body;
    }

    /** As {@link #body}, of a tag that a {@code break} inside cannot leave. */
    private Statement separateBody(String tag) {
        int before = loops;
        loops = 0;
        Statement body = body(tag);
        loops = before;
        return body;
    }

    private Statement statement() {
        String tag = expectName();
        return switch (tag) {
            case "if" -> conditional(this::conditions);
            case "for" -> loop();
            case "set" -> assignment();
            case "macro" -> macro();
            case "call" -> call();
            case "with" -> with();
            case "filter" -> {
                String input = "";
                Expression filters = filters(scope -> scope.get(input));
                Statement body = body(tag);
                yield (scope, out) -> {
                    Scope inner = new Scope(scope);
                    StringBuilder text = new StringBuilder();
                    Flow flow = body.run(inner, text);
                    if (flow != Flow.NEXT) {
                        return flow;
                    }
                    inner.set(input, Budget.made(text.toString()));
                    String filtered = Arguments.string("filter", filters.eval(inner));
                    Budget.fits((long) out.length() + filtered.length());
                    out.append(filtered);
                    return Flow.NEXT;
                };
            }
            case "generation" -> {
                Statement body = separateBody(tag);
                yield (scope, out) -> body.run(new Scope(scope), out);
            }
            case "print" -> {
                List<Statement> values = new ArrayList<>();
                do {
                    values.add(new Statement.Print(expression()));
                } while (skipSign(","));
                endTag();
                yield new Statement.Block(values);
            }
            case "break", "continue" -> {
                if (loops == 0) {
                    throw failure("'" + tag + "' stands outside of a loop");
                }
                endTag();
                Flow flow = tag.equals("break") ? Flow.BREAK : Flow.CONTINUE;
                yield (_, _) -> flow;
            }
            default ->
                throw failure(
                        "'" + tag + "' is no tag" + (UNKNOWN.contains(tag) ? " that chat templates can use here" : ""));
        };
    }

    private Statement conditions() {
        List<Expression> conditions = new ArrayList<>();
        List<Statement> bodies = new ArrayList<>();
        String branch = "if";
        while (!branch.equals("endif")) {
            boolean last = branch.equals("else");
            conditions.add(last ? new Expression.Constant(true) : tuple(false, false));
            endTag();
            bodies.add(block(last ? Set.of("endif") : Set.of("elif", "else", "endif"), "if"));
            branch = expectName();
        }
        endTag();
        return new Statement.If(conditions, bodies);
    }

    private Statement loop() {
        Target target = target(false, true);
        if (!skipName("in")) {
            throw expected("'in'");
        }
        Expression items = tuple(false, false);
        Expression condition = skipName("if") ? expression() : null;
        boolean recursive = skipName("recursive");
        endTag();
        loops++;
        Statement body = block(Set.of("else", "endfor"), "for");
        loops--;
        Statement otherwise = new Statement.Block(List.of());
        if (expectName().equals("else")) {
            endTag();
            otherwise = block(Set.of("endfor"), "for");
            next();
        }
        endTag();
        return new Statement.For(target, items, condition, recursive, body, otherwise);
    }

    /** One target, or several with commas between them. */
    private Target target(boolean withAttributes, boolean ofLoop) {
        List<Target> targets = new ArrayList<>();
        boolean comma = false;
        do {
            if (comma && isSign(")")) {
                break;
            }
            targets.add(nested(() -> oneTarget(withAttributes, ofLoop)));
            comma |= isSign(",");
        } while (skipSign(","));
        return comma ? Target.several(targets) : targets.getFirst();
    }

    private Target oneTarget(boolean withAttributes, boolean ofLoop) {
        if (skipSign("(")) {
            Target inner = target(withAttributes, ofLoop);
            expectSign(")");
            return inner;
        }
        String name = targetName();
        if (ofLoop && name.equals("loop")) {
            throw failure("a loop cannot name its items 'loop'");
        }
        if (withAttributes && skipSign(".")) {
            return Target.attribute(name, expectName());
        }
        return (scope, value) -> scope.set(name, value);
    }

    private String targetName() {
        String name = expectName();
        if (CONSTANTS.contains(name)) {
            throw failure("'" + name + "' cannot be set");
        }
        return name;
    }

    private Statement assignment() {
        Target target = target(true, false);
        if (skipSign("=")) {
            Expression value = tuple(true, false);
            endTag();
            return (scope, _) -> {
                Budget.step();
                target.assign(scope, value.eval(scope));
                return Flow.NEXT;
            };
        }
        String input = "";
        Expression unfiltered = scope -> scope.get(input);
        Expression value = skipSign("|") ? filters(unfiltered) : unfiltered;
        Statement body = body("set");
        return (scope, _) -> {
            Scope inner = new Scope(scope);
            StringBuilder text = new StringBuilder();
            Flow flow = body.run(inner, text);
            if (flow == Flow.NEXT) {
                inner.set(input, Budget.made(text.toString()));
                target.assign(scope, value.eval(inner));
            }
            return flow;
        };
    }

    private Statement macro() {
        String name = targetName();
        List<String> parameters = new ArrayList<>();
        List<Expression> defaults = new ArrayList<>();
        signature(parameters, defaults);
        Macro.Definition definition = definition(name, "macro", parameters, defaults);
        return (scope, _) -> {
            scope.set(name, new Macro(definition, scope));
            return Flow.NEXT;
        };
    }

    /** The body of a macro or call. */
    private Macro.Definition definition(String name, String tag, List<String> parameters, List<Expression> defaults) {
        Set<String> used = new HashSet<>();
        Statement body = noting(used, () -> separateBody(tag));
        used.retainAll(Set.of("caller", "kwargs", "varargs"));
        int place = parameters.indexOf("caller");
        if (used.contains("caller") && place >= 0 && place < parameters.size() - defaults.size()) {
            throw failure("the parameter caller needs a default");
        }
        return new Macro.Definition(name, parameters, defaults, body, List.copyOf(used));
    }

    private void signature(List<String> parameters, List<Expression> defaults) {
        expectSign("(");
        while (!skipSign(")")) {
            if (!parameters.isEmpty()) {
                expectSign(",");
            }
            String parameter = targetName();
            if (parameters.contains(parameter)) {
                throw failure("the parameter " + parameter + " is there twice");
            }
            parameters.add(parameter);
            if (skipSign("=")) {
                defaults.add(expression());
            } else if (!defaults.isEmpty()) {
                throw failure("a parameter without a default stands behind one with a default");
            }
        }
    }

    private Statement call() {
        List<String> parameters = new ArrayList<>();
        List<Expression> defaults = new ArrayList<>();
        if (isSign("(")) {
            signature(parameters, defaults);
        }
        if (!(expression() instanceof Expression.Call called)) {
            throw failure("'call' needs the call of a macro");
        }
        Macro.Definition definition = definition("caller", "call", parameters, defaults);
        return (scope, out) ->
                new Statement.Print(inner -> called.call(inner, new Macro(definition, inner))).run(scope, out);
    }

    private Statement with() {
        List<Map.Entry<Target, Expression>> variables = new ArrayList<>();
        while (token().kind() != Kind.TAG_END) {
            if (!variables.isEmpty()) {
                expectSign(",");
            }
            Target target = target(false, false);
            expectSign("=");
            variables.add(Map.entry(target, expression()));
        }
        Statement body = body("with");
        return (scope, out) -> {
            Scope inner = new Scope(scope);
            variables.forEach(variable ->
                    variable.getKey().assign(inner, variable.getValue().eval(scope)));
            return body.run(inner, out);
        };
    }
}
