package dev.belay.cli;

import dev.belay.BelayException;
import dev.belay.cliff.DataSelection;
import dev.belay.cliff.Plateau;
import dev.belay.cliff.TopCount;
import dev.belay.cliff.TrainingFormat;
import dev.belay.device.DType;
import dev.belay.hooks.PositionScope;
import java.util.function.Function;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Readers of option values: a value that cannot be read is a usage error. */
final class Converters {
    private Converters() {}

    static <T> T usage(String value, Function<String, T> reader) {
        try {
            return reader.apply(value);
        } catch (BelayException e) {
            throw new TypeConversionException(e.getMessage());
        }
    }
}

/** all, closing, generated or last:k. */
final class ScopeConverter implements ITypeConverter<PositionScope> {
    @Override
    public PositionScope convert(String value) {
        return Converters.usage(value, PositionScope::parse);
    }
}

/** A number or a percentage. */
final class TopConverter implements ITypeConverter<TopCount> {
    @Override
    public TopCount convert(String value) {
        return Converters.usage(value, TopCount::parse);
    }
}

/** max, mean or p90. */
final class PlateauConverter implements ITypeConverter<Plateau> {
    @Override
    public Plateau convert(String value) {
        return Converters.usage(value, Plateau::parse);
    }
}

/** misalignment, final or random. */
final class RankConverter implements ITypeConverter<DataSelection.Rank> {
    @Override
    public DataSelection.Rank convert(String value) {
        return Converters.usage(value, DataSelection.Rank::parse);
    }
}

/** transcript, alpaca or messages. */
final class FormatConverter implements ITypeConverter<TrainingFormat> {
    @Override
    public TrainingFormat convert(String value) {
        return Converters.usage(value, TrainingFormat::parse);
    }
}

/** bf16 or f32. */
final class DTypeConverter implements ITypeConverter<DType> {
    @Override
    public DType convert(String value) {
        return Converters.usage(value, DType::parse);
    }
}

/** An integer from 1. */
final class PositiveConverter implements ITypeConverter<Integer> {
    @Override
    public Integer convert(String value) {
        try {
            int number = Integer.parseInt(value);
            if (number > 0) {
                return number;
            }
        } catch (NumberFormatException e) {
            throw new TypeConversionException("'" + value + "' is not a whole number");
        }
        throw new TypeConversionException("'" + value + "' is not a number from 1");
    }
}
