"""The folder's entry: `python -I driver spec.json` puts the folder, and nothing else of ours, on the path."""

from reveille_driver.main import main

main()
