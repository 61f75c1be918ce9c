using System;
using System.IO;
using Strato.Client;
using Strato.Client.Store;
using Xunit;

namespace Strato.Tests.Unit.Client;

public sealed class DefinitionCacheTests : IDisposable
{
    private readonly ClientFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public void WhatHasSettledIsKnownUntilItsFileIsAnother()
    {
        VmDefinition vm = _fixture.Client.Create(new VmSettings { Name = "a", Kernel = _fixture.Kernel });
        string path = _fixture.Paths.DefinitionFile(vm.Id);
        DefinitionCache.FileState? state = DefinitionCache.Look(path);
        DefinitionCache.Keep(path, state, vm, DateTimeOffset.UtcNow);
        Assert.Null(DefinitionCache.Find(path, DefinitionCache.Look(path)));
        DefinitionCache.Keep(path, state, vm, DateTimeOffset.UtcNow.AddSeconds(10));
        Assert.Same(vm, DefinitionCache.Find(path, DefinitionCache.Look(path)));
        Assert.Same(vm, _fixture.Client.Get("a"));

        // As an editor writes: into the same file, as long as before.
        string text = File.ReadAllText(path);
        using (FileStream file = new(path, FileMode.Open, FileAccess.Write))
        {
            file.Write(System.Text.Encoding.UTF8.GetBytes(text.Replace("\"a\"", "\"b\"", StringComparison.Ordinal)));
        }

        Assert.Null(DefinitionCache.Find(path, DefinitionCache.Look(path)));
        Assert.Equal("b", _fixture.Client.Get("b").Name);
        File.Delete(path);
        Assert.Null(DefinitionCache.Look(path));
    }

    [Fact]
    public void AChangeIsSeenAtOnceHoweverFastOthersFollow()
    {
        VmDefinition vm = _fixture.Client.Create(new VmSettings { Name = "a", Kernel = _fixture.Kernel });
        for (int i = 100; i < 400; i++)
        {
            _fixture.Client.Update(vm.Id, new VmSettings { Notes = $"{i}" });
            Assert.Equal($"{i}", _fixture.Client.Get("a").Notes);
        }
    }
}
