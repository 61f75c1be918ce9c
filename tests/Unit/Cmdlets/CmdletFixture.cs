using System;
using System.Linq;
using System.Management.Automation;
using Strato.Tests.CmdletHost;
using Strato.Tests.Unit.Client;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>Cmdlets find their store by the process's environment, so their tests don't run beside each other.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class CmdletCollection
{
    public const string Name = "cmdlets";
}

/// <summary>A store, an engine that is this test program, and a cmdlet test host whose location is the store's folder.</summary>
public abstract class CmdletTests : IDisposable
{
    private static readonly string[] Variables = ["STRATO_STATE", "STRATO_RUNTIME", "STRATO_ENGINE"];
    private readonly string?[] _before = [.. Variables.Select(Environment.GetEnvironmentVariable)];

    protected CmdletTests()
    {
        Environment.SetEnvironmentVariable("STRATO_STATE", Store.Paths.StateRoot);
        Environment.SetEnvironmentVariable("STRATO_RUNTIME", Store.Paths.RuntimeRoot);
        Environment.SetEnvironmentVariable("STRATO_ENGINE", Store.Engine);
        Host = new TestHost { Location = Store.Root };
    }

    protected ClientFixture Store { get; } = new();

    protected TestHost Host { get; }

    /// <summary>Runs a pipeline in which nothing may go wrong.</summary>
    protected HostResult Run(params Step[] pipeline)
    {
        HostResult result = Host.Invoke(pipeline);
        Assert.Null(result.Terminating);
        Assert.Equal([], result.Errors.Select(error => $"{error.FullyQualifiedErrorId}: {error}"));
        return result;
    }

    /// <summary>Runs a pipeline that has one non-terminating error.</summary>
    protected ErrorRecord Error(params Step[] pipeline)
    {
        HostResult result = Host.Invoke(pipeline);
        Assert.Null(result.Terminating);
        return Assert.Single(result.Errors);
    }

    /// <summary>A VM, made through New-StratoVm.</summary>
    protected Vm New(string name = "web", string commandLine = "quiet") =>
        Run(new Step("New-StratoVm", name).With("Kernel", "vmlinuz").With("CommandLine", commandLine)).Single<Vm>();

    /// <summary>A VM, made and started.</summary>
    protected Vm Start(string name = "web", string commandLine = "quiet")
    {
        New(name, commandLine);
        return Run(new Step("Start-StratoVm", name).Switch("PassThru")).Single<Vm>();
    }

    /// <summary>The id of the error that ends the pipeline.</summary>
    protected string Terminates(params Step[] pipeline) => Host.Invoke(pipeline).Terminating?.FullyQualifiedErrorId ?? "none";

    protected string State(string name) => Run(new Step("Get-StratoVm", name)).Single<Vm>().State;

    protected static void AssertError(ErrorRecord error, string id, ErrorCategory category, object? target)
    {
        Assert.Equal(id, error.FullyQualifiedErrorId.Split(',')[0]);
        Assert.Equal(category, error.CategoryInfo.Category);
        Assert.Equal(target, error.TargetObject);
    }

    public virtual void Dispose()
    {
        Store.Dispose();
        for (int i = 0; i < Variables.Length; i++)
        {
            Environment.SetEnvironmentVariable(Variables[i], _before[i]);
        }

        GC.SuppressFinalize(this);
    }
}
