using System;
using System.Diagnostics;
using System.IO;
using System.Threading;
using System.Threading.Tasks;
using Strato.Client;
using Strato.Client.Linux;
using Strato.Client.Runtime;
using Xunit;

namespace Strato.Tests.Unit.Client;

/// <summary>An engine that only looks is gone when nobody waits for it any more.</summary>
public sealed class DryRunTests : IDisposable
{
    private readonly ClientFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    private string PidFile => Path.Combine(_fixture.Root, "pid");

    /// <summary>An engine that says nothing.</summary>
    private VmDefinition Create()
    {
        _fixture.UseEngineScript($"echo $$ >'{PidFile}.new' && mv '{PidFile}.new' '{PidFile}'; exec sleep 1000");
        return _fixture.Create();
    }

    private bool IsGone() => !File.Exists(PidFile) || Procfs.TryReadStat(int.Parse(File.ReadAllText(PidFile), System.Globalization.CultureInfo.InvariantCulture)) is not { State: not ('Z' or 'X') };

    [Fact]
    public void WithoutADescriptorOfItItIsEndedAtOnceAndThatIsTold()
    {
        VmDefinition vm = Create();
        StratoException? error = null;
        Thread thread = new(() =>
        {
            DeniedCall.Fail(DeniedCall.SYS_pidfd_open, DeniedCall.EMFILE);
            error = Record.Exception(() => DryRun.Run(vm, _fixture.Engine, force: true, _fixture.Token)) as StratoException;
        });
        Stopwatch watch = Stopwatch.StartNew();
        thread.Start();
        thread.Join();
        Assert.Equal("PidfdFailed", error?.Id);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"{watch.Elapsed}");
        ClientFixture.Until(IsGone, "the engine's end");
    }

    [Fact]
    public async Task CancellationEndsIt()
    {
        VmDefinition vm = Create();
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(_fixture.Token);
        Task run = Task.Run(() => DryRun.Run(vm, _fixture.Engine, force: true, stop.Token), _fixture.Token);
        ClientFixture.Until(() => File.Exists(PidFile), "the engine");
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        ClientFixture.Until(IsGone, "the engine's end");
    }
}
