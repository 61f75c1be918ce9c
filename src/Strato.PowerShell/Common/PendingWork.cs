using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Strato.PowerShell;

/// <summary>Work on several VMs at once, whose outcomes are taken in the order it was given.</summary>
/// <remarks>
/// Work begins when it is added, on threads of its own (it blocks, so the thread pool would starve), never more than the limit. The
/// pipeline's thread alone takes outcomes, since only it may write records.
/// </remarks>
internal sealed class PendingWork<T>
{
    private readonly int _limit;
    private readonly CancellationToken _token;
    private readonly Queue<Item> _waiting = new();
    private readonly Queue<Item> _unreported = new();
    private int _workers;

    /// <param name="limit">How many are worked on at once.</param>
    /// <param name="token">What is not begun when it is cancelled never is; work that is under way has to look at it itself.</param>
    public PendingWork(int limit, CancellationToken token)
    {
        _limit = limit;
        _token = token;
    }

    /// <summary>How many outcomes were not taken yet.</summary>
    public int Count => _unreported.Count;

    /// <summary>The oldest work whose outcome was not taken yet.</summary>
    public Item Next => _unreported.Peek();

    public void Add(VmTarget vm, Func<T> work)
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

    /// <summary>Waits until all work is at its end, after it was cancelled: what was begun has then been undone or is done.</summary>
    public void Drain(TimeSpan limit)
    {
        try
        {
            Task.WaitAll([.. _unreported.Select(item => item.Outcome)], limit);
        }
        catch (AggregateException)
        {
            // Nobody asks for these outcomes any more.
        }
    }

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

            item.Run(_token);
        }
    }

    /// <summary>The work for one VM.</summary>
    internal sealed class Item
    {
        private readonly Func<T> _work;
        private readonly TaskCompletionSource<T> _outcome = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Item(VmTarget vm, Func<T> work)
        {
            Vm = vm;
            _work = work;
        }

        public VmTarget Vm { get; }

        public Task<T> Outcome => _outcome.Task;

        public void Run(CancellationToken token)
        {
            try
            {
                token.ThrowIfCancellationRequested();
                _outcome.SetResult(_work());
            }
            catch (Exception e)
            {
                _outcome.SetException(e);
            }
        }
    }
}
