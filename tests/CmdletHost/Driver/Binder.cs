using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Reflection;

namespace Strato.Tests.CmdletHost;

/// <summary>Binds arguments and pipeline objects to one cmdlet's parameters by the metadata, in PowerShell's order of attempts.</summary>
internal sealed class Binder
{
    private readonly CmdletInfo _info;
    private readonly PSCmdlet _cmdlet;
    private readonly HashSet<ParameterInfo> _bound = [];
    private readonly Dictionary<ParameterInfo, object?> _defaults = [];
    private readonly HashSet<ParameterInfo> _fromPipeline = [];
    private List<string> _sets;
    private List<string> _setsBeforePipeline = [];

    public Binder(CmdletInfo info, PSCmdlet cmdlet)
    {
        _info = info;
        _cmdlet = cmdlet;
        _sets = [.. info.Sets];
    }

    public void BindArguments(IEnumerable<KeyValuePair<string, object?>> named, IEnumerable<object?> positional)
    {
        foreach ((string name, object? value) in named)
        {
            ParameterInfo parameter = _info.Find(name);
            if (!Bind(parameter, value, coerce: true, out string why))
            {
                throw new BindingException("ParameterArgumentTransformationError", $"Cannot bind parameter '{parameter.Name}' of {_info.Name}: {why}");
            }
        }

        foreach (object? value in positional)
        {
            if (!BindPositional(value))
            {
                throw new BindingException("PositionalParameterNotFound", $"A positional parameter of {_info.Name} cannot be found that accepts argument '{value}'.");
            }
        }

        _setsBeforePipeline = _sets;
    }

    /// <summary>Whether something mandatory is left that only the pipeline can give, so that the cmdlet can't run without input.</summary>
    public void RequireMandatory(bool expectingInput)
    {
        if (!_sets.Any(set => Missing(set).All(parameter => expectingInput && TakesPipeline(parameter, set))))
        {
            string set = _sets.Contains(_info.Attribute.DefaultParameterSetName) ? _info.Attribute.DefaultParameterSetName : _sets[0];
            throw new BindingException("MissingMandatoryParameter", $"{_info.Name} needs a value for: {string.Join(", ", Missing(set).Select(p => p.Name))}.");
        }
    }

    /// <summary>Binds one object of the pipeline; false where no parameter takes it.</summary>
    public bool BindPipeline(object? record)
    {
        foreach (ParameterInfo parameter in _fromPipeline)
        {
            parameter.Property.SetValue(_cmdlet, _defaults[parameter]);
            _cmdlet.MyInvocation.BoundParameters.Remove(parameter.Name);
            _bound.Remove(parameter);
        }

        _fromPipeline.Clear();
        _sets = _setsBeforePipeline;
        bool taken = false;
        foreach (bool coerce in new[] { false, true })
        {
            taken |= (!coerce || !taken) && BindByValue(record, coerce);
            taken |= BindByPropertyName(record, coerce);
        }

        return taken && _sets.Any(set => !Missing(set).Any());
    }

    /// <summary>Decides the parameter set from what is bound.</summary>
    public void ChooseSet()
    {
        string[] complete = [.. _sets.Where(set => !Missing(set).Any())];
        string byDefault = _info.Attribute.DefaultParameterSetName;
        string chosen = complete.Length == 1 ? complete[0]
            : complete.Contains(byDefault, StringComparer.Ordinal) ? byDefault
            : throw new BindingException("AmbiguousParameterSet", $"Parameter set of {_info.Name} cannot be resolved using the specified named parameters.");
        CmdletWiring.SetParameterSet(_cmdlet, chosen);
    }

    private bool BindByValue(object? record, bool coerce)
    {
        foreach (string set in DefaultFirst())
        {
            foreach (ParameterInfo parameter in _info.Parameters)
            {
                if (!_bound.Contains(parameter) && parameter.In(set) is { ValueFromPipeline: true } && Bind(parameter, record, coerce, out _, fromPipeline: true))
                {
                    return true;
                }
            }
        }

        return false;
    }

    private bool BindByPropertyName(object? record, bool coerce)
    {
        bool taken = false;
        if (record is null)
        {
            return taken;
        }

        PSObject source = PSObject.AsPSObject(record);
        foreach (ParameterInfo parameter in _info.Parameters)
        {
            if (!_bound.Contains(parameter)
                && _sets.Any(set => parameter.In(set) is { ValueFromPipelineByPropertyName: true })
                && parameter.Names.Select(name => source.Properties[name]).FirstOrDefault(property => property is not null) is { } property)
            {
                taken |= Bind(parameter, property.Value, coerce, out _, fromPipeline: true);
            }
        }

        return taken;
    }

    private bool BindPositional(object? value)
    {
        foreach (bool coerce in new[] { false, true })
        {
            foreach (string set in DefaultFirst())
            {
                ParameterInfo? next = _info.Parameters
                    .Where(parameter => !_bound.Contains(parameter) && parameter.In(set) is { Position: >= 0 })
                    .MinBy(parameter => parameter.In(set)!.Position);
                if (next is not null && Bind(next, value, coerce, out _))
                {
                    return true;
                }
            }
        }

        return false;
    }

    private bool Bind(ParameterInfo parameter, object? value, bool coerce, out string why, bool fromPipeline = false)
    {
        List<string> left = [.. _sets.Where(set => parameter.In(set) is not null)];
        if (left.Count == 0)
        {
            throw new BindingException("AmbiguousParameterSet", $"Parameter '{parameter.Name}' of {_info.Name} does not go with the parameters before it.");
        }

        why = $"Cannot convert '{value}' to {parameter.Property.PropertyType.Name}.";
        if (!Conversion.TryConvert(value, parameter.Property.PropertyType, coerce, out object? converted))
        {
            return false;
        }

        Validate(parameter, converted);
        if (fromPipeline)
        {
            _defaults.TryAdd(parameter, parameter.Property.GetValue(_cmdlet));
            _fromPipeline.Add(parameter);
        }

        parameter.Property.SetValue(_cmdlet, converted);
        _cmdlet.MyInvocation.BoundParameters[parameter.Name] = converted;
        _bound.Add(parameter);
        _sets = left;
        return true;
    }

    private void Validate(ParameterInfo parameter, object? value)
    {
        if (value is "" && parameter.Sets.Values.Any(set => set.Mandatory) && parameter.Property.GetCustomAttribute<AllowEmptyStringAttribute>() is null)
        {
            throw new BindingException("ParameterArgumentValidationErrorEmptyStringNotAllowed", $"Cannot bind argument to parameter '{parameter.Name}' because it is an empty string.");
        }

        try
        {
            foreach (ValidateArgumentsAttribute check in parameter.Property.GetCustomAttributes<ValidateArgumentsAttribute>())
            {
                check.Check(value);
            }
        }
        catch (ValidationMetadataException e)
        {
            throw new BindingException("ParameterArgumentValidationError", $"Cannot validate argument on parameter '{parameter.Name}' of {_info.Name}. {e.Message}", e);
        }
    }

    private IEnumerable<string> DefaultFirst() => _sets.ToArray().OrderByDescending(set => set == _info.Attribute.DefaultParameterSetName);

    private IEnumerable<ParameterInfo> Missing(string set) =>
        _info.Parameters.Where(parameter => !_bound.Contains(parameter) && parameter.In(set) is { Mandatory: true });

    private static bool TakesPipeline(ParameterInfo parameter, string set) =>
        parameter.In(set) is { ValueFromPipeline: true } or { ValueFromPipelineByPropertyName: true };
}
