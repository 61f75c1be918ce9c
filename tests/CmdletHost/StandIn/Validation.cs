using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace System.Management.Automation;

public class ValidationMetadataException : Exception
{
    public ValidationMetadataException(string message)
        : base(message)
    {
    }
}

[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property)]
public abstract class ValidateArgumentsAttribute : CmdletMetadataAttribute
{
    /// <summary>Of the stand-in: throws <see cref="ValidationMetadataException"/> where PowerShell would refuse the value.</summary>
    public abstract void Check(object? value);

    private protected static IEnumerable<object?> Elements(object? value) =>
        value is IEnumerable many and not string ? many.Cast<object?>() : [value];
}

public sealed class ValidateNotNullAttribute : ValidateArgumentsAttribute
{
    public override void Check(object? value)
    {
        if (value is null || Elements(value).Any(element => element is null))
        {
            throw new ValidationMetadataException("The argument is null.");
        }
    }
}

public sealed class ValidateNotNullOrEmptyAttribute : ValidateArgumentsAttribute
{
    public override void Check(object? value)
    {
        if (value is null or "" || !Elements(value).Any() || Elements(value).Any(element => element is null or ""))
        {
            throw new ValidationMetadataException("The argument is null or empty.");
        }
    }
}

public sealed class ValidateRangeAttribute : ValidateArgumentsAttribute
{
    public ValidateRangeAttribute(object minRange, object maxRange)
    {
        MinRange = minRange;
        MaxRange = maxRange;
    }

    public object MinRange { get; }

    public object MaxRange { get; }

    public override void Check(object? value)
    {
        decimal number = Convert.ToDecimal(value, CultureInfo.InvariantCulture);
        if (number < Convert.ToDecimal(MinRange, CultureInfo.InvariantCulture) || number > Convert.ToDecimal(MaxRange, CultureInfo.InvariantCulture))
        {
            throw new ValidationMetadataException($"The {value} argument is not within {MinRange} and {MaxRange}.");
        }
    }
}

public sealed class ValidateSetAttribute : ValidateArgumentsAttribute
{
    public ValidateSetAttribute(params string[] validValues) => ValidValues = validValues;

    public IList<string> ValidValues { get; }

    public override void Check(object? value)
    {
        if (Elements(value).Any(element => !ValidValues.Contains(element?.ToString() ?? "", StringComparer.OrdinalIgnoreCase)))
        {
            throw new ValidationMetadataException($"The argument \"{value}\" does not belong to the set \"{string.Join(",", ValidValues)}\".");
        }
    }
}
