using System.Collections;
using System.Collections.Generic;
using System.Collections.ObjectModel;
using System.Globalization;
using System.Reflection;

namespace System.Management.Automation;

public readonly struct SwitchParameter
{
    public SwitchParameter(bool isPresent) => IsPresent = isPresent;

    public bool IsPresent { get; }

    public static implicit operator bool(SwitchParameter switchParameter) => switchParameter.IsPresent;

    public static implicit operator SwitchParameter(bool value) => new(value);

    public bool ToBool() => IsPresent;
}

/// <summary>The base object of a PSObject that has only the properties it was given.</summary>
public class PSCustomObject
{
    internal static readonly PSCustomObject Instance = new();

    private PSCustomObject()
    {
    }
}

public abstract class PSMemberInfo
{
    public string Name { get; protected set; } = "";

    public abstract object? Value { get; set; }
}

public abstract class PSPropertyInfo : PSMemberInfo;

public class PSNoteProperty : PSPropertyInfo
{
    public PSNoteProperty(string name, object? value)
    {
        Name = name;
        Value = value;
    }

    public override object? Value { get; set; }
}

internal sealed class PSClrProperty : PSPropertyInfo
{
    private readonly object _owner;
    private readonly PropertyInfo _property;

    public PSClrProperty(object owner, PropertyInfo property)
    {
        Name = property.Name;
        _owner = owner;
        _property = property;
    }

    public override object? Value
    {
        get => _property.GetValue(_owner);
        set => _property.SetValue(_owner, value);
    }
}

public class PSMemberInfoCollection<T> : IEnumerable<T>
    where T : PSMemberInfo
{
    private readonly List<T> _members = [];

    public T? this[string name] => _members.Find(member => member.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    public virtual void Add(T member)
    {
        if (this[member.Name] is not null)
        {
            throw new RuntimeException($"The member '{member.Name}' is already present.");
        }

        _members.Add(member);
    }

    public IEnumerator<T> GetEnumerator() => _members.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

public class PSObject
{
    public PSObject()
        : this(PSCustomObject.Instance)
    {
    }

    public PSObject(object obj)
    {
        BaseObject = obj is PSObject wrapped ? wrapped.BaseObject : obj;
        if (BaseObject is PSCustomObject)
        {
            TypeNames.Add("System.Management.Automation.PSCustomObject");
            return;
        }

        TypeNames.Add(BaseObject.GetType().FullName!);
        foreach (PropertyInfo property in BaseObject.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            if (property.GetIndexParameters().Length == 0)
            {
                Properties.Add(new PSClrProperty(BaseObject, property));
            }
        }
    }

    public object BaseObject { get; }

    public Collection<string> TypeNames { get; } = [];

    public PSMemberInfoCollection<PSPropertyInfo> Properties { get; } = new();

    public static PSObject AsPSObject(object obj) => obj as PSObject ?? new PSObject(obj);

    public override string ToString() => BaseObject is PSCustomObject ? "@{}" : BaseObject.ToString() ?? "";
}

public abstract class PSTypeConverter
{
    public abstract bool CanConvertFrom(object sourceValue, Type destinationType);

    public abstract object ConvertFrom(object sourceValue, Type destinationType, IFormatProvider formatProvider, bool ignoreCase);

    public abstract bool CanConvertTo(object sourceValue, Type destinationType);

    public abstract object ConvertTo(object sourceValue, Type destinationType, IFormatProvider formatProvider, bool ignoreCase);
}

public static class LanguagePrimitives
{
    public static bool IsTrue(object? obj) => (obj is PSObject wrapped ? wrapped.BaseObject : obj) switch
    {
        null => false,
        bool flag => flag,
        SwitchParameter flag => flag.IsPresent,
        string text => text.Length > 0,
        IConvertible number => number.ToDouble(CultureInfo.InvariantCulture) != 0,
        _ => true,
    };
}
