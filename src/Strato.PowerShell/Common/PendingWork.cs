using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>Work on several VMs at once, whose outcomes are taken in the order it was given.</summary>
/// <remarks>
/// Work begins when it is added, on threads of its own (it blocks, so the thread pool would starve), never more than the limit. The
/// pipeline's thread alone takes outcomes, since only it may write records.
/// </remarks>
internal sealed class PendingWork
{
    private readonly int _limit;
    private readonly Queue<Item> _waiting = new();
    private readonly Queue<Item> _unreported = new();
    private int _workers;

    public PendingWork(int limit) => _limit = limit;

    /// <summary>How many outcomes were not taken yet.</summary>
    public int Count => _unreported.Count;

    /// <summary>The oldest work whose outcome was not taken yet.</summary>
    public Item Next => _unreported.Peek();

    public void Add(VmTarget vm, Func<VmInfo> work)
    {
        Item item = new(vm, work);
        _unreported.Enqueue(item);
        lock (_waiting)
        {
            _waiting.Enqueue(item);
            if (_workers == _limit)
            {
                return;
            }

            _workers++;
        }

        new Thread(WorkUntilEmpty) { IsBackground = true, Name = "Strato work" }.Start();
    }

    public Item Take() => _unreported.Dequeue();

    private void WorkUntilEmpty()
    {
        while (true)
        {
            Item? item;
            lock (_waiting)
            {
                if (!_waiting.TryDequeue(out item))
                {
                    _workers--;
                    return;
                }
            }

            item.Run();
        }
    }

    /// <summary>The work for one VM.</summary>
    internal sealed class Item
    {
        private readonly Func<VmInfo> _work;
        private readonly TaskCompletionSource<VmInfo> _outcome = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Item(VmTarget vm, Func<VmInfo> work)
        {
            Vm = vm;
            _work = work;
        }

        public VmTarget Vm { get; }

        public Task<VmInfo> Outcome => _outcome.Task;

        public void Run()
        {
            try
            {
                _outcome.SetResult(_work());
            }
            catch (Exception e)
            {
                _outcome.SetException(e);
            }
        }
    }
}
