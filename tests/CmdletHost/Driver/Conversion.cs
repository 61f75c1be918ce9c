using System;
using System.Collections;
using System.ComponentModel;
using System.Globalization;
using System.Linq;
using System.Management.Automation;
using System.Reflection;

namespace Strato.Tests.CmdletHost;

/// <summary>Argument conversion, as far as the module's parameter types need it.</summary>
internal static class Conversion
{
    /// <param name="coerce">False allows only what has the type already (or an array of it for one element), as PowerShell's first binding passes do.</param>
    public static bool TryConvert(object? value, Type type, bool coerce, out object? result)
    {
        result = value;
        object? plain = value is PSObject { BaseObject: not PSCustomObject } wrapped ? wrapped.BaseObject : value;
        Type target = Nullable.GetUnderlyingType(type) ?? type;
        if (plain is null)
        {
            result = null;
            return !type.IsValueType || type != target;
        }

        if (target.IsInstanceOfType(plain))
        {
            result = plain;
            return true;
        }

        if (target.IsArray)
        {
            return TryConvertArray(plain, target.GetElementType()!, coerce, out result);
        }

        if (value is PSObject source && target.GetCustomAttribute<TypeConverterAttribute>() is { } attribute
            && Activator.CreateInstance(Type.GetType(attribute.ConverterTypeName)!) is PSTypeConverter converter && converter.CanConvertFrom(source, target))
        {
            result = converter.ConvertFrom(source, target, CultureInfo.InvariantCulture, ignoreCase: true);
            return true;
        }

        return coerce && TryCoerce(plain, target, out result);
    }

    private static bool TryConvertArray(object value, Type element, bool coerce, out object? result)
    {
        object?[] items = value is IEnumerable many and not string ? [.. many.Cast<object?>()] : [value];
        Array array = Array.CreateInstance(element, items.Length);
        result = array;
        for (int i = 0; i < items.Length; i++)
        {
            if (!TryConvert(items[i], element, coerce, out object? item))
            {
                return false;
            }

            array.SetValue(item, i);
        }

        return true;
    }

    private static bool TryCoerce(object value, Type target, out object? result)
    {
        result = null;
        if (target == typeof(string))
        {
            result = value.ToString();
            return true;
        }

        if (target == typeof(SwitchParameter))
        {
            result = new SwitchParameter(LanguagePrimitives.IsTrue(value));
            return true;
        }

        try
        {
            result = target.IsEnum ? Enum.Parse(target, value.ToString()!, ignoreCase: true) : Convert.ChangeType(value, target, CultureInfo.InvariantCulture);
            return true;
        }
        catch (Exception e) when (e is FormatException or InvalidCastException or OverflowException or ArgumentException)
        {
            return false;
        }
    }
}
