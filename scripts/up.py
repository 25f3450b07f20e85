"""`make up`: Airflow's UI on this computer, with the DAGs ready, until Ctrl-C."""

import argparse
import signal
import sys
import time

import laptop


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    port = parser.parse_args().port
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # however we end, no service is left running
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    try:
        laptop.require_free(port)
        print("starting Airflow, about 20 seconds …", flush=True)
        env = laptop.environment(port)
        laptop.prepare(env)
        with laptop.running(port, env) as api:
            print(f"\n  Airflow    {api.url}  (only this computer can reach it)")
            print(f"  log in as  {laptop.USER}, password {api.password}")
            print(f"  data       {env['RISK_HOME']}, domain {env.get('RISK_DOMAIN', 'shop')}")
            print(f"  logs       {laptop.AIRFLOW_HOME / 'logs'}")
            print("\nCtrl-C stops everything.", flush=True)
            while True:
                time.sleep(3600)
    except laptop.LaptopError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped", flush=True)
        return 0


if __name__ == "__main__":
    sys.exit(main())
