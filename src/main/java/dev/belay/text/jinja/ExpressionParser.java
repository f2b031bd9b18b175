package dev.belay.text.jinja;

import dev.belay.text.jinja.Lexer.Kind;
import dev.belay.text.jinja.Lexer.Token;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/** Reads expressions by Jinja2's grammar, in which {@code not} binds weaker than a comparison and {@code **} tighter than a sign. */
class ExpressionParser {
    /** Most brackets, signs and blocks within each other, and most attributes, calls and filters behind a value. */
    private static final int MOST_NESTED = 150;

    private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");
    private static final Map<String, Object> CONSTANTS = Map.of(
            "true",
            true,
            "True",
            true,
            "false",
            false,
            "False",
            false,
            "none",
            PythonNone.NONE,
            "None",
            PythonNone.NONE);

    private final List<Token> tokens;
    private int at;
    private int depth;

    /** The names that are read, which tell whether a macro uses its special variables. */
    protected Set<String> names = new HashSet<>();

    /** The first filter or test that is read and is not there, unless it may never be evaluated; null for none. */
    protected TemplateFailure missing;

    ExpressionParser(List<Token> tokens) {
        this.tokens = tokens;
    }

    // What the parser stands at.

    protected final Token token() {
        return tokens.get(at);
    }

    protected final Token next() {
        return tokens.get(at++);
    }

    private Token ahead() {
        return tokens.get(Math.min(at + 1, tokens.size() - 1));
    }

    protected final boolean isSign(String sign) {
        return token().is(Kind.SIGN, sign);
    }

    protected final boolean isName(String name) {
        return token().is(Kind.NAME, name);
    }

    protected final boolean skipSign(String sign) {
        boolean there = isSign(sign);
        at += there ? 1 : 0;
        return there;
    }

    protected final boolean skipName(String name) {
        boolean there = isName(name);
        at += there ? 1 : 0;
        return there;
    }

    protected final void expectSign(String sign) {
        if (!skipSign(sign)) {
            throw expected("'" + sign + "'");
        }
    }

    protected final String expectName() {
        if (token().kind() != Kind.NAME) {
            throw expected("a name");
        }
        return (String) next().value();
    }

    protected final TemplateFailure expected(String what) {
        return failure("expected " + what + ", but found " + token().words());
    }

    protected final TemplateFailure failure(String message) {
        return new TemplateFailure("line " + token().line() + ": " + message);
    }

    /** Reads what is nested one level deeper. */
    protected final <T> T nested(Supplier<T> inner) {
        if (++depth > MOST_NESTED) {
            throw failure("it is nested too deeply");
        }
        T value = inner.get();
        depth--;
        return value;
    }

    /** Reads what may never be evaluated: a filter or test that is not there fails only when it is. */
    protected final <T> T conditional(Supplier<T> inner) {
        TemplateFailure before = missing;
        T value = inner.get();
        missing = before;
        return value;
    }

    private void check(boolean exists, String what, String name) {
        if (!exists && missing == null) {
            missing = failure("there is no " + what + " '" + name + "'");
        }
    }

    // Expressions, from the weakest operator to the strongest.

    /** An expression. */
    protected final Expression expression() {
        return nested(() -> {
            TemplateFailure before = missing;
            Expression value = or();
            while (skipName("if")) {
                value = choice(value);
                missing = before;
            }
            return value;
        });
    }

    private Expression choice(Expression then) {
        Expression condition = or();
        Expression otherwise = skipName("else")
                ? expression()
                : new Expression.Constant(new Undefined("an 'if' without 'else' is undefined"));
        return scope -> (Values.truth(condition.eval(scope)) ? then : otherwise).eval(scope);
    }

    /** Expressions with commas between them, which are a tuple; or one alone, which is itself. */
    protected final Expression tuple(boolean withCondition, boolean inParentheses) {
        List<Expression> items = new ArrayList<>();
        boolean comma = false;
        while (!endsTuple() && !(comma && !withCondition && isName("recursive"))) {
            items.add(withCondition ? expression() : nested(this::or));
            comma |= isSign(",");
            if (!skipSign(",")) {
                break;
            }
        }
        if (items.isEmpty() && !inParentheses) {
            throw expected("an expression");
        }
        if (items.size() == 1 && !comma) {
            return items.getFirst();
        }
        return scope -> Budget.nested(new PythonTuple(values(items, scope)));
    }

    private boolean endsTuple() {
        return token().kind() == Kind.PRINT_END || token().kind() == Kind.TAG_END || isSign(")");
    }

    private static List<Object> values(List<Expression> items, Scope scope) {
        List<Object> values = new ArrayList<>(items.size());
        items.forEach(item -> values.add(item.eval(scope)));
        return values;
    }

    protected final Expression or() {
        return choice("or", true, () -> choice("and", false, this::not));
    }

    private Expression choice(String word, boolean decides, Supplier<Expression> operand) {
        Expression first = operand.get();
        if (!isName(word)) {
            return first;
        }
        List<Expression> operands = new ArrayList<>(List.of(first));
        while (skipName(word)) {
            operands.add(operand.get());
        }
        return new Expression.Choice(decides, operands);
    }

    private Expression not() {
        if (!skipName("not")) {
            return comparison();
        }
        Expression value = nested(this::not);
        return scope -> !Values.truth(value.eval(scope));
    }

    private Expression comparison() {
        Expression first = sum();
        List<String> signs = new ArrayList<>();
        List<Expression> operands = new ArrayList<>();
        for (String sign = comparisonSign(); sign != null; sign = comparisonSign()) {
            signs.add(sign);
            operands.add(sum());
        }
        return signs.isEmpty() ? first : new Expression.Comparison(first, signs, operands);
    }

    private String comparisonSign() {
        if (token().kind() == Kind.SIGN && COMPARISONS.contains((String) token().value())) {
            return (String) next().value();
        }
        if (skipName("in")) {
            return "in";
        }
        if (isName("not") && ahead().is(Kind.NAME, "in")) {
            at += 2;
            return "not in";
        }
        return null;
    }

    private Expression sum() {
        return chain(Set.of("+", "-"), this::concatenation);
    }

    private Expression concatenation() {
        Expression first = product();
        if (!isSign("~")) {
            return first;
        }
        List<Expression> parts = new ArrayList<>(List.of(first));
        while (skipSign("~")) {
            parts.add(product());
        }
        return scope -> PythonStrings.joined(
                "", parts.stream().map(part -> PythonText.str(part.eval(scope))).toList());
    }

    private Expression product() {
        return chain(Set.of("*", "/", "//", "%"), this::power);
    }

    private Expression power() {
        return chain(Set.of("**"), () -> unary(true));
    }

    private Expression chain(Set<String> signs, Supplier<Expression> operand) {
        Expression first = operand.get();
        List<String> between = new ArrayList<>();
        List<Expression> operands = new ArrayList<>();
        while (token().kind() == Kind.SIGN && signs.contains((String) token().value())) {
            between.add((String) next().value());
            operands.add(operand.get());
        }
        return between.isEmpty() ? first : new Expression.Chain(first, between, operands);
    }

    /** A value with its signs; filters and tests behind it are those of the signed value. */
    private Expression unary(boolean filtered) {
        Expression value;
        if (isSign("-") || isSign("+")) {
            String sign = (String) next().value();
            Expression operand = nested(() -> unary(false));
            value = scope -> Operators.signed(sign, operand.eval(scope));
        } else {
            value = primary();
        }
        value = postfix(value);
        return filtered ? filtered(value) : value;
    }

    private Expression primary() {
        Token token = next();
        switch (token.kind()) {
            case NAME -> {
                String name = (String) token.value();
                names.add(name);
                return CONSTANTS.containsKey(name)
                        ? new Expression.Constant(CONSTANTS.get(name))
                        : new Expression.Name(name);
            }
            case STRING -> {
                StringBuilder text = new StringBuilder((String) token.value());
                while (token().kind() == Kind.STRING) {
                    text.append(next().value());
                }
                return new Expression.Constant(text.toString());
            }
            case NUMBER -> {
                return new Expression.Constant(token.value());
            }
            default -> {
                if (token.is(Kind.SIGN, "(")) {
                    Expression value = tuple(true, true);
                    expectSign(")");
                    return value;
                }
                if (token.is(Kind.SIGN, "[")) {
                    List<Expression> items = listed("]", this::expression);
                    return scope -> Budget.nested(values(items, scope));
                }
                if (token.is(Kind.SIGN, "{")) {
                    return mapping();
                }
                at--;
                throw expected("an expression");
            }
        }
    }

    /** Items with commas between them, of which one may stand behind the last, up to the closing sign. */
    private <T> List<T> listed(String closing, Supplier<T> item) {
        List<T> items = new ArrayList<>();
        while (!skipSign(closing)) {
            if (!items.isEmpty()) {
                expectSign(",");
                if (skipSign(closing)) {
                    break;
                }
            }
            items.add(item.get());
        }
        return items;
    }

    private Expression mapping() {
        record Pair(Expression key, Expression value) {}
        List<Pair> pairs = listed("}", () -> {
            Expression key = expression();
            expectSign(":");
            return new Pair(key, expression());
        });
        return scope -> {
            Map<Object, Object> map = new LinkedHashMap<>();
            pairs.forEach(pair ->
                    PythonDict.put(map, pair.key().eval(scope), pair.value().eval(scope)));
            return Budget.nested(map);
        };
    }

    /** A value with its attributes, subscripts and calls. */
    protected final Expression postfix(Expression base) {
        Expression value = base;
        for (int i = 0; i <= MOST_NESTED; i++) {
            if (skipSign(".")) {
                value = token().kind() == Kind.NUMBER
                        ? new Expression.Item(value, new Expression.Constant(whole(next().value())))
                        : new Expression.Attribute(value, expectName());
            } else if (skipSign("[")) {
                value = subscript(value);
            } else if (isSign("(")) {
                value = new Expression.Call(value, arguments());
            } else {
                return value;
            }
        }
        throw failure("it is nested too deeply");
    }

    private Object whole(Object number) {
        if (number instanceof Long) {
            return number;
        }
        throw failure("expected a name or a whole number behind '.'");
    }

    private Expression subscript(Expression base) {
        List<Expression> keys = new ArrayList<>();
        if (skipSign("]")) {
            return new Expression.Item(base, _ -> PythonTuple.of());
        }
        do {
            Expression start = isSign(":") ? null : expression();
            if (isSign(":") && keys.isEmpty()) {
                Expression slice = slice(base, start);
                expectSign("]");
                return slice;
            }
            keys.add(start);
        } while (skipSign(","));
        expectSign("]");
        return new Expression.Item(
                base, keys.size() == 1 ? keys.getFirst() : scope -> new PythonTuple(values(keys, scope)));
    }

    private Expression slice(Expression base, Expression start) {
        Expression none = new Expression.Constant(PythonNone.NONE);
        List<Expression> parts = new ArrayList<>();
        parts.add(start == null ? none : start);
        while (parts.size() < 3 && skipSign(":")) {
            parts.add(isSign(":") || isSign("]") ? none : expression());
        }
        Expression stop = parts.get(1);
        Expression step = parts.size() > 2 ? parts.get(2) : none;
        Expression from = parts.getFirst();
        return scope -> Values.slice(base.eval(scope), from.eval(scope), stop.eval(scope), step.eval(scope));
    }

    private Expression.Given arguments() {
        expectSign("(");
        List<Expression> positional = new ArrayList<>();
        Map<String, Expression> named = new LinkedHashMap<>();
        Expression[] rest = new Expression[2];
        listed(")", () -> {
            if (isSign("*") || isSign("**")) {
                int which = next().value().equals("*") ? 0 : 1;
                if (rest[which] != null || rest[1] != null) {
                    throw failure("arguments behind '**'");
                }
                rest[which] = expression();
            } else if (token().kind() == Kind.NAME && ahead().is(Kind.SIGN, "=")) {
                String name = expectName();
                next();
                if (rest[1] != null || named.put(name, expression()) != null) {
                    throw failure("the argument " + name + " is repeated or behind '**'");
                }
            } else {
                if (!named.isEmpty() || rest[0] != null || rest[1] != null) {
                    throw failure("an argument without a name stands behind one with a name");
                }
                positional.add(expression());
            }
            return null;
        });
        return new Expression.Given(positional, named, rest[0], rest[1]);
    }

    /** A value with its filters and tests. */
    private Expression filtered(Expression base) {
        Expression value = base;
        for (int i = 0; i <= MOST_NESTED; i++) {
            if (skipSign("|")) {
                value = filter(value);
            } else if (skipName("is")) {
                value = test(value);
            } else if (isSign("(")) {
                value = new Expression.Call(value, arguments());
            } else {
                return value;
            }
        }
        throw failure("it is nested too deeply");
    }

    /** A value with one filter or, with {@code |} between them, several. */
    protected final Expression filters(Expression base) {
        Expression value = filter(base);
        for (int i = 0; i <= MOST_NESTED; i++) {
            if (!skipSign("|")) {
                return value;
            }
            value = filter(value);
        }
        throw failure("it is nested too deeply");
    }

    private Expression filter(Expression value) {
        String name = dotted();
        Expression.Given given = isSign("(") ? arguments() : Expression.Given.NONE;
        check(Filter.ALL.containsKey(name), "filter", name);
        return scope -> Filter.apply(name, value.eval(scope), given.eval(scope));
    }

    private String dotted() {
        StringBuilder name = new StringBuilder(expectName());
        while (skipSign(".")) {
            name.append('.').append(expectName());
        }
        return name.toString();
    }

    private Expression test(Expression value) {
        boolean negated = skipName("not");
        String name = dotted();
        Expression.Given given = Expression.Given.NONE;
        if (isSign("(")) {
            given = arguments();
        } else if (startsArgument()) {
            if (isName("is")) {
                throw failure("two tests cannot follow each other; put the first in parentheses");
            }
            given = new Expression.Given(List.of(postfix(primary())), Map.of(), null, null);
        }
        check(Tests.exists(name), "test", name);
        Expression.Given arguments = given;
        return scope -> Tests.test(name, value.eval(scope), arguments.eval(scope)) != negated;
    }

    private boolean startsArgument() {
        boolean other = isName("else") || isName("or") || isName("and");
        return switch (token().kind()) {
            case NAME -> !other;
            case STRING, NUMBER -> true;
            default -> isSign("[") || isSign("{");
        };
    }

    /** Reads the body of a macro and tells which of its special variables it uses. */
    protected final <T> T noting(Set<String> used, Supplier<T> body) {
        Set<String> before = names;
        names = new HashSet<>();
        T value = body.get();
        used.addAll(names);
        names.addAll(before);
        return value;
    }
}
