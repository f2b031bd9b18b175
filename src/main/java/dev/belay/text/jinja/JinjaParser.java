package dev.belay.text.jinja;

import static jinjava.de.odysseus.el.tree.impl.Scanner.Symbol.AND;
import static jinjava.de.odysseus.el.tree.impl.Scanner.Symbol.COLON;
import static jinjava.de.odysseus.el.tree.impl.Scanner.Symbol.COMMA;
import static jinjava.de.odysseus.el.tree.impl.Scanner.Symbol.IDENTIFIER;
import static jinjava.de.odysseus.el.tree.impl.Scanner.Symbol.LPAREN;
import static jinjava.de.odysseus.el.tree.impl.Scanner.Symbol.MINUS;
import static jinjava.de.odysseus.el.tree.impl.Scanner.Symbol.NOT;
import static jinjava.de.odysseus.el.tree.impl.Scanner.Symbol.RBRACK;

import com.hubspot.jinjava.el.ext.AdditionOperator;
import com.hubspot.jinjava.el.ext.AstDict;
import com.hubspot.jinjava.el.ext.AstList;
import com.hubspot.jinjava.el.ext.AstTuple;
import com.hubspot.jinjava.el.ext.ExtendedParser;
import com.hubspot.jinjava.el.ext.NamedParameterOperator;
import com.hubspot.jinjava.el.ext.PowerOfOperator;
import com.hubspot.jinjava.el.ext.StringConcatOperator;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import jinjava.de.odysseus.el.tree.impl.Builder;
import jinjava.de.odysseus.el.tree.impl.Parser;
import jinjava.de.odysseus.el.tree.impl.Scanner;
import jinjava.de.odysseus.el.tree.impl.ast.AstBinary;
import jinjava.de.odysseus.el.tree.impl.ast.AstDot;
import jinjava.de.odysseus.el.tree.impl.ast.AstIdentifier;
import jinjava.de.odysseus.el.tree.impl.ast.AstNode;
import jinjava.de.odysseus.el.tree.impl.ast.AstNull;
import jinjava.de.odysseus.el.tree.impl.ast.AstParameters;
import jinjava.de.odysseus.el.tree.impl.ast.AstUnary;

/**
 * Jinjava's expressions with Python's grammar where it differs: {@code not} binds weaker than a comparison, {@code and}
 * returns an operand, what stands before a dot must be defined, {@code [start:stop:step]} slices, tests may follow filters,
 * {@code **} binds tighter than {@code *}, and {@code else f(x)} is no namespace.
 */
final class JinjaParser extends ExtendedParser {
    /** The name under which {@link PythonResolver} takes a slice: (start, stop, step), each of them may be null. */
    static final String SLICE = "__slice__";

    private static final int MOST_BRACKETS = 100;

    private static final Map<AstBinary.Operator, AstBinary.Operator> PYTHON = Map.of(
            AdditionOperator.OP,
            PythonOperators.PLUS,
            AstBinary.MUL,
            PythonOperators.TIMES,
            AstBinary.MOD,
            PythonOperators.REMAINDER,
            AstBinary.EQ,
            PythonOperators.EQUAL,
            AstBinary.NE,
            PythonOperators.UNEQUAL);

    JinjaParser(Builder context, String expression) {
        super(context, checked(expression));
        putExtensionHandler(StringConcatOperator.TOKEN, new ExtensionHandler(ExtensionPoint.ADD) {
            @Override
            public AstNode createAstNode(AstNode... operands) {
                return createAstBinary(operands[0], operands[1], PythonOperators.CONCAT);
            }
        });
    }

    /** Refuses what takes the parser as good as forever: it looks ahead at every bracket. Those in strings count as well. */
    private static String checked(String expression) {
        int depth = 0;
        for (int i = 0; i < expression.length(); i++) {
            char c = expression.charAt(i);
            depth += "([{".indexOf(c) >= 0 ? 1 : ")]}".indexOf(c) >= 0 ? -1 : 0;
            if (depth > MOST_BRACKETS) {
                throw new TemplateFailure("an expression is nested too deeply");
            }
        }
        return expression;
    }

    @Override
    protected AstBinary createAstBinary(AstNode left, AstNode right, AstBinary.Operator operator) {
        return super.createAstBinary(left, right, PYTHON.getOrDefault(operator, operator));
    }

    @Override
    protected AstNode and(boolean required) throws Scanner.ScanException, Parser.ParseException {
        AstNode value = not(required);
        while (value != null && getToken().getSymbol() == AND) {
            consumeToken();
            value = createAstBinary(value, not(true), PythonOperators.AND);
        }
        return value;
    }

    private AstNode not(boolean required) throws Scanner.ScanException, Parser.ParseException {
        if (getToken().getSymbol() != NOT) {
            return eq(required);
        }
        consumeToken();
        return createAstUnary(not(true), AstUnary.NOT);
    }

    /** A power, which binds tighter than a product; several are taken from the left, and a sign belongs to its number, as in Jinja2. */
    @Override
    protected AstNode unary(boolean required) throws Scanner.ScanException, Parser.ParseException {
        AstNode value = signed(required);
        while (value != null && getToken() == PowerOfOperator.TOKEN) {
            consumeToken();
            value = createAstBinary(value, signed(true), PythonOperators.POWER);
        }
        return value;
    }

    private AstNode signed(boolean required) throws Scanner.ScanException, Parser.ParseException {
        if (getToken().getSymbol() != MINUS) {
            return super.unary(required);
        }
        return filtered(negated());
    }

    /** What stands behind a sign takes no filters and tests: they are those of the negative number. */
    private AstNode negated() throws Scanner.ScanException, Parser.ParseException {
        consumeToken(MINUS);
        AstNode value = getToken().getSymbol() == MINUS ? negated() : postfix();
        if (value == null) {
            fail("a value");
        }
        return createAstUnary(value, AstUnary.NEG);
    }

    @Override
    protected AstNode nonliteral() throws Scanner.ScanException, Parser.ParseException {
        if (getToken().getSymbol() != IDENTIFIER) {
            AstNode value = super.nonliteral();
            return value instanceof AstTuple ? createAstUnary(value, PythonOperators.TUPLE) : value;
        }
        String name = consumeToken().getImage();
        return getToken().getSymbol() == LPAREN ? function(name, params()) : identifier(name);
    }

    /** Arguments or list elements; a named argument takes a whole expression, and a comma may end the list. */
    @Override
    protected AstParameters params(Scanner.Symbol left, Scanner.Symbol right)
            throws Scanner.ScanException, Parser.ParseException {
        consumeToken(left);
        List<AstNode> arguments = new ArrayList<>();
        while (getToken().getSymbol() != right) {
            arguments.add(argument());
            if (getToken().getSymbol() != right) {
                consumeToken(COMMA);
            }
        }
        consumeToken(right);
        return createAstParameters(arguments);
    }

    private AstNode argument() throws Scanner.ScanException, Parser.ParseException {
        if (getToken().getSymbol() != IDENTIFIER || lookahead(0) != NamedParameterOperator.TOKEN) {
            return expr(true);
        }
        AstNode name = identifier(consumeToken().getImage());
        return getExtensionHandler(consumeToken()).createAstNode(name, expr(true));
    }

    @Override
    protected AstNode value() throws Scanner.ScanException, Parser.ParseException {
        return filtered(postfix());
    }

    private AstNode filtered(AstNode unfiltered) throws Scanner.ScanException, Parser.ParseException {
        AstNode value = unfiltered;
        while (value != null) {
            String image = getToken().getImage();
            if ("|".equals(image) && lookahead(0).getSymbol() == IDENTIFIER) {
                value = parseFiltersAsNestedMethods(value);
            } else if ("is".equals(image)) {
                value = test(value);
            } else {
                break;
            }
        }
        return value;
    }

    /** A name, literal or parenthesis with its attributes, subscripts and calls, but without filters and tests. */
    private AstNode postfix() throws Scanner.ScanException, Parser.ParseException {
        AstNode value = nonliteral();
        if (value == null) {
            value = literal();
            boolean counted = value instanceof AstList || value instanceof AstDict;
            value = counted ? createAstUnary(value, PythonOperators.LITERAL) : value;
        }
        while (value != null) {
            switch (getToken().getSymbol()) {
                case DOT -> {
                    consumeToken();
                    value = call(value, consumeToken().getImage());
                }
                case LBRACK -> value = subscript(value);
                default -> {
                    return value;
                }
            }
        }
        return null;
    }

    private AstNode call(AstNode base, String name) throws Scanner.ScanException, Parser.ParseException {
        var property = createAstDot(defined(base), name, false);
        return getToken().getSymbol() == LPAREN ? createAstMethod(property, params()) : property;
    }

    private AstNode subscript(AstNode base) throws Scanner.ScanException, Parser.ParseException {
        consumeToken();
        AstNode first = expr(false);
        if (getToken().getSymbol() != COLON) {
            consumeToken(RBRACK);
            return createAstBracket(defined(base), first == null ? new AstNull() : first, false, false);
        }
        List<AstNode> parts = new ArrayList<>();
        parts.add(first == null ? new AstNull() : first);
        while (getToken().getSymbol() == COLON) {
            consumeToken();
            AstNode part = expr(false);
            parts.add(part == null ? new AstNull() : part);
        }
        consumeToken(RBRACK);
        if (parts.size() == 2) {
            parts.add(new AstNull());
        }
        return createAstMethod(createAstDot(defined(base), SLICE, false), createAstParameters(parts));
    }

    /** A filter or test that is not there must not be undefined silently. */
    @Override
    protected AstDot createAstDot(AstNode base, String name, boolean assignable) {
        boolean extension = base instanceof AstIdentifier identifier
                && (identifier.getName().startsWith(FILTER_PREFIX)
                        || identifier.getName().startsWith(EXPTEST_PREFIX));
        return super.createAstDot(extension ? defined(base) : base, name, assignable && !extension);
    }

    private AstNode defined(AstNode base) {
        return createAstUnary(base, PythonOperators.DEFINED);
    }

    private AstNode test(AstNode value) throws Scanner.ScanException, Parser.ParseException {
        consumeToken();
        boolean negated = getToken().getSymbol() == NOT;
        if (negated) {
            consumeToken();
        }
        String name = consumeToken().getImage();
        List<AstNode> arguments = new ArrayList<>(List.of(value, interpreter()));
        AstNode argument = postfix();
        if (argument != null) {
            arguments.add(argument);
        }
        var method = createAstDot(identifier(EXPTEST_PREFIX + name), negated ? "evaluateNegated" : "evaluate", true);
        return createAstMethod(method, createAstParameters(arguments));
    }
}
